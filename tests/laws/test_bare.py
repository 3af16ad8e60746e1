"""Updates and backward passes without the wrappers of torch end on its own bits, and leave out nothing that matters."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim
from torch.nn import functional as F
from torch.nn.modules.module import register_module_forward_hook
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.overrides import TorchFunctionMode

import truestep as ts
from truestep.core.bare import Update, backward, entropy, squares
from truestep.core.kinds import with_reduction

Make = Callable[[list[Any]], optim.Optimizer]
OPTIMIZERS: dict[str, Make] = {
    "SGD": lambda groups: optim.SGD(groups, 0.1),
    "SGD, foreach": lambda groups: optim.SGD(groups, 0.1, foreach=True),
    "SGD, fused": lambda groups: optim.SGD(groups, 0.1, fused=True),
    "SGD, maximize": lambda groups: optim.SGD(groups, 0.1, maximize=True),
    "SGD, rate in a tensor": lambda groups: optim.SGD(groups, torch.tensor(0.1)),
    "SGD, decay in one group": lambda groups: optim.SGD([groups[0], {**groups[1], "weight_decay": 0.1}], 0.1),
    "SGD, momentum in one group": lambda groups: optim.SGD([groups[0], {**groups[1], "momentum": 0.9}], 0.1),
    "SGD, Nesterov": lambda groups: optim.SGD(groups, 0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda groups: optim.Adam(groups, 0.1),
    "AdamW, fused": lambda groups: optim.AdamW(groups, 0.1, fused=True),
    "RMSprop": lambda groups: optim.RMSprop(groups, 0.1, momentum=0.5),
    "Adagrad": lambda groups: optim.Adagrad(groups, 0.1),
    "Rprop": lambda groups: optim.Rprop(groups, 0.1),
}


def weights() -> list[Any]:
    """Two groups; the last parameter never has a gradient."""
    made = [torch.randn(3, 4), torch.randn(5), torch.randn(()), torch.randn(2)]
    held = [nn.Parameter(each) for each in made]
    return [{"params": held[:2]}, {"params": held[2:], "lr": 0.03}]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_update_ends_on_the_bits_of_the_optimizers_own_step(name: str):
    groups = weights()
    own, bare = OPTIMIZERS[name](groups), OPTIMIZERS[name](copy.deepcopy(groups))
    update = Update(bare)
    for _ in range(4):
        pairs = list(zip(held(own), held(bare), strict=True))
        for a, b in pairs[:-1]:
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        own.step()
        update()
        assert all(torch.equal(a, b) for a, b in pairs)
        states = zip(tensors(own), tensors(bare), strict=True)
        assert all(torch.equal(a, b) for a, b in states)


def held(optimizer: optim.Optimizer) -> list[Tensor]:
    return [each for group in optimizer.param_groups for each in group["params"]]


def tensors(optimizer: optim.Optimizer) -> Iterator[Tensor]:
    for each in held(optimizer):
        yield from (torch.as_tensor(value) for value in optimizer.state[each].values() if value is not None)


def test_a_row_of_an_embedding_moves_alone():
    model = nn.Embedding(6, 3, sparse=True)
    before = model.weight.detach().clone()
    ts.TrainStep(model, nn.MSELoss(), optim.SGD(model.parameters(), 0.5))(torch.tensor([4]), torch.zeros(1, 3))
    expected = before.clone()
    expected[4] -= 0.5 * 2 / 3 * before[4]
    assert torch.allclose(model.weight, expected)
    assert torch.equal(model.weight[:4], before[:4])


def prepared() -> tuple[optim.Optimizer, Update]:
    optimizer = optim.SGD([nn.Parameter(torch.ones(2))], 0.1)
    return optimizer, Update(optimizer)


HOOKS: dict[str, Callable[[Any, Any], Any]] = {
    "before": lambda optimizer, hook: optimizer.register_step_pre_hook(hook),
    "after": lambda optimizer, hook: optimizer.register_step_post_hook(hook),
    "before, of all": lambda optimizer, hook: register_optimizer_step_pre_hook(hook),
    "after, of all": lambda optimizer, hook: register_optimizer_step_post_hook(hook),
}


@pytest.mark.parametrize("when", HOOKS)
def test_a_hook_is_called_until_it_is_taken_away(when: str):
    optimizer, update = prepared()
    heard: list[Any] = []
    handle = HOOKS[when](optimizer, lambda one, args, words: heard.append(one))
    update()
    handle.remove()
    update()
    assert heard == [optimizer]


def test_a_step_that_somebody_replaced_is_called(monkeypatch: pytest.MonkeyPatch):
    optimizer, update = prepared()
    heard: list[str] = []
    monkeypatch.setattr(optimizer, "step", lambda: heard.append("own"))
    update()
    monkeypatch.undo()
    step = optim.SGD.step
    monkeypatch.setattr(optim.SGD, "step", lambda self: (heard.append("class"), step(self)))
    update()
    Update(optimizer)()
    assert heard == ["own", "class", "class"]


class Halved(optim.SGD):
    def step(self, closure: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        for group in self.param_groups:
            group["lr"] /= 2
        super().step()


def test_an_optimizer_of_ones_own_takes_its_own_step():
    model = nn.Linear(2, 1)
    optimizer = Halved(model.parameters(), 1.0)
    ts.TrainStep(model, nn.MSELoss(), optimizer)(torch.ones(3, 2), torch.zeros(3, 1))
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_a_backward_pass_ends_on_torchs_bits_and_adds_to_what_is_there():
    w = torch.randn(3, requires_grad=True)
    roots, seeds = [lambda: (w**2).sum(), lambda: w.prod()], [torch.tensor(0.3), torch.tensor(2.0)]
    torch.autograd.backward([root() for root in roots], seeds)
    assert w.grad is not None
    expected, w.grad = w.grad.clone(), None
    backward([root() for root in roots], seeds)
    assert torch.equal(w.grad, expected)
    backward([root() for root in roots], seeds)
    assert torch.allclose(w.grad, 2 * expected)


def test_a_backward_that_somebody_replaced_is_called(monkeypatch: pytest.MonkeyPatch):
    heard: list[Any] = []
    monkeypatch.setattr(torch.autograd, "backward", lambda roots, seeds: heard.append(roots))
    backward([torch.ones((), requires_grad=True)], [torch.tensor(1.0)])
    assert len(heard) == 1


class Seen(TorchFunctionMode):
    """Notes which functions of torch are called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.__name__)
        return func(*args, **(kwargs or {}))


def test_a_mode_that_watches_functions_sees_the_backward_pass():
    root = torch.ones((), requires_grad=True)
    with Seen() as seen:
        backward([root], [torch.tensor(1.0)])
    assert "backward" in seen.names
    assert root.grad is not None


def test_a_root_that_is_no_single_number_is_refused():
    with pytest.raises(RuntimeError, match="shape"):
        backward([torch.ones(1, requires_grad=True)], [torch.tensor(1.0)])


SUMS: dict[str, tuple[nn.Module, Callable[..., Tensor | None], str, bool]] = {
    "squares": (nn.MSELoss(), squares, "mse_loss", False),
    "labels": (nn.CrossEntropyLoss(), entropy, "cross_entropy", True),
    "weighted labels": (
        nn.CrossEntropyLoss(torch.tensor([0.5, 2.0]), label_smoothing=0.1),
        entropy,
        "cross_entropy",
        True,
    ),
    "labels left out": (nn.CrossEntropyLoss(ignore_index=1), entropy, "cross_entropy", True),
    "probabilities": (nn.CrossEntropyLoss(), entropy, "cross_entropy", False),
}


def drawn(labels: bool) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(5, 2, requires_grad=True), torch.tensor([0, 1, 1, 0, 0]) if labels else torch.rand(5, 2)


@pytest.mark.parametrize("name", SUMS)
def test_the_sum_of_a_loss_ends_on_torchs_bits(name: str):
    loss, bare, _, labels = SUMS[name]
    output, target = drawn(labels)
    total, expected = bare(loss, output, target), with_reduction(loss, "sum")(output, target)
    assert total is not None
    assert torch.equal(total, expected)
    found = (torch.autograd.grad(each, output)[0] for each in (total, expected))
    assert torch.equal(*found)


@pytest.mark.parametrize("name", SUMS)
def test_a_loss_that_somebody_listens_to_has_to_be_called(name: str, monkeypatch: pytest.MonkeyPatch):
    loss, bare, function, labels = SUMS[name]
    output, target = drawn(labels)
    handle = loss.register_forward_hook(lambda *_: None)
    assert bare(loss, output, target) is None
    handle.remove()
    everywhere = register_module_forward_hook(lambda *_: None)
    assert bare(loss, output, target) is None
    everywhere.remove()
    with Seen():
        assert bare(loss, output, target) is None
    assert bare(loss, output, target) is not None
    monkeypatch.setattr(F, function, lambda *args, **words: None)
    assert bare(loss, output, target) is None


@pytest.mark.parametrize("name", SUMS)
def test_whoever_listens_to_a_loss_hears_of_it_in_a_step(name: str):
    made, _, function, labels = SUMS[name]
    loss, model, heard = copy.deepcopy(made), nn.Linear(3, 2), list[str]()
    step = ts.TrainStep(model, loss, optim.SGD(model.parameters(), 0.1))
    target = drawn(labels)[1]
    step(torch.randn(5, 3), target)
    handle = loss.register_forward_hook(lambda *_: heard.append("hook"))
    step(torch.randn(5, 3), target)
    handle.remove()
    assert heard == ["hook"]
    with Seen() as seen:
        step(torch.randn(5, 3), target)
    assert function in seen.names


LOSSES: dict[str, nn.Module] = {
    "squares": nn.MSELoss(reduction="sum"),
    "mean": nn.MSELoss(),
    "sum": nn.L1Loss(reduction="sum"),
    "elements": nn.SmoothL1Loss(reduction="none"),
    "labels": nn.CrossEntropyLoss(),
    "weighted labels": nn.CrossEntropyLoss(torch.tensor([0.5, 2.0, 1.0, 0.25])),
    "labels, summed": nn.CrossEntropyLoss(reduction="sum", label_smoothing=0.1),
    "batchmean": nn.KLDivLoss(reduction="batchmean"),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("weight", [1.0, -0.3])
@pytest.mark.parametrize("name", LOSSES)
def test_the_short_way_of_a_step_ends_on_the_bits_of_the_long_one(name: str, weight: float, dtype: torch.dtype):
    made = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).to(dtype)
    ends = []
    for short in (True, False):
        model = copy.deepcopy(made)
        metrics = {"far": lambda output, target: ts.Loss(output.sum(), 2)}
        objective = ts.Objective(term=(weight, LOSSES[name]))
        step = ts.TrainStep(model, objective, optim.SGD(model.parameters(), 0.1), clip_norm=0.5, metrics=metrics)
        assert step._pass.short
        if not short:
            object.__setattr__(step._pass, "short", False)
        torch.manual_seed(1)
        outs = []
        for _ in range(3):
            x, labels = torch.randn(6, 3, dtype=dtype), torch.tensor([0, 3, -100, 1, 2, 2])
            y = labels if "labels" in name else torch.rand(6, 4)
            out = step(x, y)
            outs.append(replace(out, metrics={name: float(part.total) for name, part in out.metrics.items()}))
        ends.append((outs, [each.detach().clone() for each in model.state_dict().values()]))
    (short_outs, short_ends), (long_outs, long_ends) = ends
    assert short_outs == long_outs
    assert all(torch.equal(a, b) for a, b in zip(short_ends, long_ends, strict=True))


def test_what_is_not_one_plain_loss_takes_the_long_way():
    model = nn.Linear(2, 3)
    row = nn.BCEWithLogitsLoss(torch.ones(4, 1))
    for objective in (
        ts.Objective(nn.MSELoss(), nn.L1Loss()),
        ts.Objective(ts.Term(nn.MSELoss(), couples=True)),
        ts.Objective(ts.Term(nn.MSELoss(), of=lambda output, target: (output, target))),
        ts.Objective(ts.Term(nn.MSELoss(), count=lambda output, target: 7)),
        ts.Objective(row),
        ts.Objective(lambda output, target: output - target),
    ):
        assert not ts.TrainStep(model, objective, optim.SGD(model.parameters(), 0.1))._pass.short
    assert not ts.TrainStep(model, nn.MSELoss(), lambda batch_size: None)._pass.short
    assert not ts.TrainStep(model, nn.MSELoss(), optim.SGD(model.parameters(), 0.1), amp="bfloat16")._pass.short
