"""Problems whose losses count in every way that there is, each beside its value on a whole batch in plain torch."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import truestep as ts

WEIGHT = torch.tensor([0.5, 1.0, 2.0, 0.25, 1.5], dtype=torch.float64)
WIDTH, CLASSES = 3, 5


@dataclass(frozen=True)
class Problem:
    """`objective` for truestep; `value(output, target)`, the same on a whole batch, says it in torch alone."""

    objective: ts.Objective
    value: Callable[[Any, Any], Tensor]
    target: Callable[[int, torch.Generator], Any]
    largest: float = 1e15  # scale of inputs up to which the problem is well conditioned

    def batch(self, samples: int, seed: int, scale: float = 1.0) -> tuple[Tensor, Any]:
        generator = torch.Generator().manual_seed(seed)
        inputs = scale * torch.randn(samples, WIDTH, generator=generator, dtype=torch.float64)
        return inputs, self.target(samples, generator)


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(WIDTH, 4), nn.Softplus(), nn.Linear(4, CLASSES)).double()


def twin(model: nn.Module) -> nn.Module:
    return copy.deepcopy(model)


def normal(samples: int, generator: torch.Generator) -> Tensor:
    return torch.randn(samples, CLASSES, generator=generator, dtype=torch.float64)


def labels(samples: int, generator: torch.Generator) -> Tensor:
    """Labels of which a third are ignored, but never all of them."""
    found = torch.randint(CLASSES, (samples,), generator=generator)
    found[1::3] = -100
    return found


def pair(samples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    return normal(samples, generator), normal(samples, generator)


def both(samples: int, generator: torch.Generator) -> dict[str, Tensor]:
    return {"values": normal(samples, generator), "tokens": labels(samples, generator)}


def masked_mean(output: Tensor, target: dict[str, Tensor]) -> Tensor:
    """A mean over the rows that are kept, as users write it: it returns one number."""
    kept = target["tokens"] >= 0
    return ((output - target["values"]).square().mean(1) * kept).sum() / kept.sum()


def kept_rows(output: Tensor, target: dict[str, Tensor]) -> Tensor:
    return (target["tokens"] >= 0).sum()


def absolute(output: Tensor, target: Tensor) -> Tensor:
    return (output - target).abs()


def cross_entropy(output: Tensor, target: Any) -> Tensor:
    return F.cross_entropy(output, target, WEIGHT)


VALUES = {"of": lambda output, target: (output, target["values"])}
TOKENS = {"of": lambda output, target: (output, target["tokens"])}

EARLY = {
    "mean": Problem(ts.Objective(nn.MSELoss()), F.mse_loss, normal),
    "sum": Problem(ts.Objective(nn.MSELoss(reduction="sum")), lambda o, y: F.mse_loss(o, y, reduction="sum"), normal),
    "none": Problem(ts.Objective(nn.MSELoss(reduction="none")), F.mse_loss, normal),
    "tokens": Problem(ts.Objective(nn.CrossEntropyLoss(WEIGHT)), cross_entropy, labels),
    "elements and rows": Problem(
        ts.Objective(rows=(0.3, nn.CrossEntropyLoss()), elements=nn.MSELoss(), each=(2.0, nn.L1Loss())),
        lambda o, y: 0.3 * F.cross_entropy(o, y) + F.mse_loss(o, y) + 2 * F.l1_loss(o, y),
        lambda samples, generator: normal(samples, generator).softmax(1),
    ),
    "sum beside mean": Problem(
        ts.Objective(total=(0.01, nn.MSELoss(reduction="sum")), mean=nn.L1Loss()),
        lambda o, y: 0.01 * F.mse_loss(o, y, reduction="sum") + F.l1_loss(o, y),
        normal,
    ),
}
MASKED = ts.Term(masked_mean, reduction="mean", count=kept_rows)
LATE = {
    "elements of a function": Problem(ts.Objective(absolute), lambda o, y: absolute(o, y).mean(), normal),
    "mean with its count": Problem(ts.Objective(MASKED), masked_mean, both),
    "triplets": Problem(
        ts.Objective(nn.TripletMarginLoss(margin=5.0)),
        lambda o, y: F.triplet_margin_loss(o, *y, margin=5.0),
        pair,
        largest=1.0,  # the difference of two long distances cancels
    ),
    "elements and tokens": Problem(
        ts.Objective(
            values=ts.Term(nn.MSELoss(), **VALUES), tokens=ts.Term(nn.CrossEntropyLoss(WEIGHT), 0.7, **TOKENS)
        ),
        lambda o, y: F.mse_loss(o, y["values"]) + 0.7 * cross_entropy(o, y["tokens"]),
        both,
    ),
    "late beside early": Problem(
        ts.Objective(early=nn.L1Loss(), late=(0.5, absolute), summed=(0.01, nn.MSELoss(reduction="sum"))),
        lambda o, y: F.l1_loss(o, y) + 0.5 * absolute(o, y).mean() + 0.01 * F.mse_loss(o, y, reduction="sum"),
        normal,
    ),
    "late with weights": Problem(
        ts.Objective(masked=(0.2, MASKED), tokens=ts.Term(nn.CrossEntropyLoss(WEIGHT), 3.0, **TOKENS)),
        lambda o, y: 0.2 * masked_mean(o, y) + 3 * cross_entropy(o, y["tokens"]),
        both,
    ),
}
PROBLEMS = EARLY | LATE


def close(a: Any, b: Any, rtol: float = 1e-12) -> bool:
    """Equal to `rtol` of the largest entry of b."""
    a, b = torch.as_tensor(a, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64)
    return a.shape == b.shape and bool(((a - b).abs() <= rtol * b.abs().max()).all())


def same_weights(a: nn.Module, b: nn.Module, rtol: float = 1e-12) -> bool:
    return all(close(p.detach(), q.detach(), rtol) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def snapshot(model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> list[Tensor]:
    """Every tensor that a step may move, as a copy: weights, buffers and optimizer state."""
    state = optimizer.state_dict()["state"].values() if optimizer else ()
    inner = [value for one in state for value in one.values() if isinstance(value, Tensor)]
    return [tensor.detach().clone() for tensor in [*model.state_dict().values(), *inner]]


def identical(before: list[Tensor], after: list[Tensor]) -> bool:
    return len(before) == len(after) and all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
