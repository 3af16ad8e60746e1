"""Ledgers to render: real ones of small models, and ones whose shares are chosen."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.core.outcome import StepOut
from truestep.explain.explain import explain
from truestep.explain.ledger import Account, Ledger
from truestep.explain.modules import ModuleRecord
from truestep.explain.samples import Samples

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</style><script>alert(2)</script>",
    "\" onmouseover='alert(3)' &amp; {x} %s $y_1$",
    "red\x1b[31m\nline\u202e",
    "层" * 60,
]


class SignUpdates(torch.optim.Optimizer):
    """An optimizer that nobody knows."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.01})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.add_(parameter.grad.sign(), alpha=-group["lr"])


class Hostile(nn.Module):
    """A model whose modules, and so its parameters, have hostile names."""

    def __init__(self) -> None:
        super().__init__()
        for name in HOSTILE:
            self.add_module(name.replace(".", ""), nn.Linear(3, 3))

    def forward(self, x: Tensor) -> Tensor:
        for module in self.children():
            x = module(x).relu()
        return x


def everything() -> Ledger:
    """Two terms, momentum, decay and clipping, at the third step."""
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3), nn.Sigmoid())
    objective = ts.Objective(mse=nn.MSELoss(), mae=(0.5, nn.L1Loss()))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01)
    step = ts.TrainStep(model, objective, optimizer, clip_norm=0.05)
    x, y = torch.randn(32, 8), torch.randn(32, 3)
    for _ in range(2):
        step(x, y)
    return explain(step, x, y)


def unknown() -> Ledger:
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
    return explain(
        ts.TrainStep(model, nn.MSELoss(), SignUpdates(model.parameters())), torch.randn(8, 4), torch.randn(8, 1)
    )


def skipped() -> Ledger:
    model = nn.Linear(2, 1)
    step = ts.TrainStep(model, nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.1), nonfinite="skip")
    return explain(step, torch.tensor([[1.0, 2.0], [torch.nan, 1.0]]), torch.zeros(2, 1))


def single() -> Ledger:
    model = nn.Linear(1, 1, bias=False)
    step = ts.TrainStep(model, nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.1))
    return explain(step, torch.ones(1, 1), torch.zeros(1, 1))


def deep() -> Ledger:
    """Fifty parameters."""
    model = nn.Sequential(*(nn.Linear(3, 3) for _ in range(25)))
    step = ts.TrainStep(model, nn.MSELoss(), torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1))
    return explain(step, torch.randn(30, 3), torch.randn(30, 3))


def hostile() -> Ledger:
    model = Hostile()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()  # so that every unit lives and every parameter moves
    objective = ts.Objective(**{HOSTILE[0]: nn.MSELoss(), HOSTILE[1]: (3.0, nn.L1Loss())})
    step = ts.TrainStep(model, objective, torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=0.1), clip_norm=0.1)
    return explain(step, torch.rand(4, 3), torch.randn(4, 3))


REAL = {case.__name__: case for case in (everything, unknown, skipped, single, deep, hostile)}


def chosen(shares: Mapping[str, float], **more: Any) -> Ledger:
    """A ledger of one parameter, whose change is 1, with these shares of its causes."""
    entries = {cause: torch.tensor([share], dtype=torch.float64) for cause, share in shares.items()}
    change = torch.tensor([more.pop("change", 1.0)], dtype=torch.float64)
    account = Account("weight", torch.tensor([4.0], dtype=torch.float64), change, entries)
    out = {name: more.pop(name) for name in ("lr", "grad_norm", "skipped", "reason") if name in more}
    terms = [cause for cause in shares if cause not in ("decay", "momentum", "clipping", "rounding")]
    losses = more.pop("losses", torch.tensor([3.0, 1.0]).double())
    norms = more.pop("norms", torch.tensor([2.0, 1.0]).double())
    order = torch.argsort(losses, descending=True, stable=True)
    parts: dict[str, Any] = {
        "out": step_out(dict.fromkeys(terms, 1.0), **out),
        "accounts": {"weight": account},
        "rules": {"weight": "SGD: learning rate"},
        "clipped": (1.0, 1.0),
        "cosines": {},
        "samples": Samples(losses, {}, norms, None, order, "batched"),
        "modules": (),
    }
    return Ledger(**{**parts, **more})


def step_out(totals: Mapping[str, float], **more: Any) -> StepOut:
    ones = dict.fromkeys(totals, 1.0)
    figures: dict[str, Any] = {"lr": 0.1, "grad_norm": 1.0, **more}
    return StepOut(totals, ones, ones, ones, {}, samples=2, alone={}, **figures)


def module(name: str, kind: str = "ReLU", **more: Any) -> ModuleRecord:
    figures: dict[str, Any] = {
        "call": 1,
        "shape": (4, 8),
        "mean": 0.5,
        "std": 0.1,
        "largest": 2.0,
        "dead": None,
        "saturated": None,
        "nans": 0,
        "infinities": 0,
    }
    return ModuleRecord(name, kind, **{**figures, **more})
