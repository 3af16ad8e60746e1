"""A step as programs is the step itself to the last bit: weights, state, figures, random draws, and what goes wrong."""

import copy
import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

import truestep as ts
from laws.step_cases import PROBLEMS, identical, network, snapshot
from truestep.core.errors import NonFiniteError
from truestep.core.traced import AtOnce

OPTIMIZERS: dict[str, Any] = {
    "SGD": lambda p: optim.SGD(p, 0.05),
    "momentum": lambda p: optim.SGD(p, 0.05, momentum=0.9, dampening=0.1, weight_decay=0.01),
    "nesterov": lambda p: optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
    "upwards": lambda p: optim.SGD(p, 1e-4, maximize=True),
    "Adam": lambda p: optim.Adam(p, 0.01, amsgrad=True, weight_decay=0.01),
    "AdamW": lambda p: optim.AdamW(p, 0.01, weight_decay=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, 0.01, momentum=0.5, centered=True),
    "Adagrad": lambda p: optim.Adagrad(p, 0.05, lr_decay=0.1),
    "Adamax": lambda p: optim.Adamax(p, 0.01),
}
WITHOUT = {"NAdam": optim.NAdam, "RAdam": optim.RAdam, "Adadelta": optim.Adadelta}
MODELS: dict[str, Any] = {
    "dropout": lambda: nn.Sequential(nn.Linear(3, 7), nn.Dropout(0.4), nn.ReLU(), nn.Linear(7, 5)),
    "statistics": lambda: nn.Sequential(nn.Linear(3, 7), nn.BatchNorm1d(7), nn.Tanh(), nn.Linear(7, 5)),
    "one weight twice": lambda: _Tied(),
}


class _Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(3, 5), nn.Linear(3, 5)
        self.last.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.first(x) * self.last(x).sigmoid()


class _Sum(nn.Module):
    """Two biases with one and the same gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Parameter(torch.ones(6, 5)), nn.Parameter(torch.zeros(6, 5))

    def forward(self, x: Tensor) -> Tensor:
        return (self.first + self.last) * x.sum(1, keepdim=True)


def pair(make: Any, optimizer: Any, loss: Any = None, dtype: torch.dtype = torch.float32, **options: Any) -> Any:
    """Two equal steps with their optimizers: one as ever, one as programs."""
    found = []
    for compile in (False, True):
        torch.manual_seed(3)
        model = make().to(dtype)
        own = optimizer(model.parameters())
        schedule = optim.lr_scheduler.OneCycleLR(own, 0.2, 40) if options.get("schedule") else None
        given = {**options, "schedule": schedule}
        found.append((ts.TrainStep(model, loss or nn.MSELoss(), own, compile=compile, **given), own))
    return found


def same(one: Any, other: Any) -> bool:
    """The same weights, buffers, optimizer state and gradients."""
    states = [snapshot(step.model, optimizer) for step, optimizer in (one, other)]
    states = [
        [*tensors, *(p.grad for p in step.model.parameters() if p.grad is not None)]
        for tensors, (step, _) in zip(states, (one, other), strict=True)
    ]
    return identical(*states)


def programs(step: ts.TrainStep) -> int:
    """How many shapes are taken as programs."""
    assert isinstance(step.quick, AtOnce)
    return len(step.quick.traced._known)


def both_take(steps: Any, *batches: Any) -> bool:
    """Whether a window moves both in the same way, says the same, and draws the same."""
    outs, drawn = [], []
    for step, _ in steps:
        torch.manual_seed(step.taken)
        outs.append(step.window(batches))
        drawn.append(torch.rand(1))
    metrics = [{name: (float(m.total), float(m.count)) for name, m in out.metrics.items()} for out in outs]
    plain = [{k: v for k, v in vars(out).items() if k != "metrics"} for out in outs]
    return plain[0] == plain[1] and metrics[0] == metrics[1] and drawn[0] == drawn[1] and same(*steps)


def batch(samples: int, seed: int, dtype: torch.dtype) -> Any:
    x, y = PROBLEMS["mean"].batch(samples, seed)
    return x.to(dtype), y.to(dtype)


QUICK = [("statistics", "AdamW"), ("one weight twice", "momentum"), *(("dropout", name) for name in OPTIMIZERS)]
CASES = [
    pytest.param(*case, marks=() if case in QUICK else pytest.mark.long)
    for case in itertools.product(MODELS, OPTIMIZERS)
]


@pytest.mark.parametrize("model, optimizer", CASES)
def test_a_step_as_programs_is_the_step_to_the_last_bit(model: str, optimizer: str):
    """Over clipping, micro-batches, schedules, metrics, both dtypes and batches of two sizes."""
    options = itertools.product([torch.float32, torch.float64], [(None, None, False), (0.1, 4, True)])
    for dtype, (clip, micro, schedule) in options:
        if schedule and optimizer in ("Adagrad", "Adamax"):
            schedule = False
        steps = pair(
            MODELS[model], OPTIMIZERS[optimizer], dtype=dtype, clip_norm=clip, micro_batch=micro, schedule=schedule,
            metrics={"mse": ts.metrics.mean_squared_error},
        )  # fmt: skip
        for seed in range(8):
            assert both_take(steps, batch(10 if seed % 4 < 3 else 6, seed, dtype)), (dtype, clip, seed)
        assert programs(steps[1][0]) == 2, steps[1][0].notes


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_count_is_the_same_in_a_program(problem: str):
    case = PROBLEMS[problem]
    for micro in (None, 3):
        steps = pair(network, OPTIMIZERS["momentum"], case.objective, torch.float64, micro_batch=micro, clip_norm=0.5)
        for seed in range(4):
            assert both_take(steps, case.batch(7, seed))
        # Only where a number is needed before the program may go on is there none, and that is said.
        refused = [note for note in steps[1][0].notes if "without a program" in note]
        assert bool(refused) != bool(programs(steps[1][0]))
        if problem in ("mean", "tokens", "sum", "elements and rows"):
            assert not refused


def test_several_batches_of_a_window_are_one_program():
    steps = pair(MODELS["dropout"], OPTIMIZERS["AdamW"])
    for seed in range(5):
        assert both_take(steps, batch(4, seed, torch.float32), batch(3, 100 + seed, torch.float32))
    assert programs(steps[1][0]) == 1


def test_several_optimizers_and_groups_each_keep_their_numbers():
    def several(parameters: Any) -> Any:
        first, *others = list(parameters)
        groups = [{"params": [first], "lr": 0.3}, {"params": others[:1], "weight_decay": 0.1}]
        return optim.SGD(groups, 0.1, momentum=0.5), optim.AdamW(others[1:], 0.01)

    found = []
    for compile in (False, True):
        torch.manual_seed(3)
        model = network()
        optimizers = list(several(model.parameters()))
        found.append(((ts.TrainStep(model, nn.MSELoss(), optimizers, compile=compile)), optimizers[0], optimizers[1]))
    for seed in range(5):
        for (step, first, _), _ in zip(found, range(2), strict=True):
            first.param_groups[1]["lr"] = 0.1 / (seed + 1)
            step(*batch(6, seed, torch.float64))
        (a, *mine), (b, *theirs) = found
        assert all(identical(snapshot(a.model, x), snapshot(b.model, y)) for x, y in zip(mine, theirs, strict=True))
    assert programs(found[1][0]) == 1


@pytest.mark.parametrize("policy", ["stop", "skip"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_moves_nothing_in_a_program_and_is_said_in_the_same_words(bad: float, policy: str):
    steps = pair(
        lambda: nn.Sequential(nn.Linear(3, 7), nn.BatchNorm1d(7), nn.Dropout(0.2), nn.Linear(7, 5)),
        OPTIMIZERS["AdamW"],
        nonfinite=policy,
    )
    for seed in range(3):
        assert both_take(steps, batch(6, seed, torch.float32))
    assert programs(steps[1][0]) == 1
    x, y = batch(6, 9, torch.float32)
    x[2, 1] = bad
    before = snapshot(steps[1][0].model, steps[1][1])
    said, drawn = [], []
    for step, _ in steps:
        torch.manual_seed(5)
        if policy == "skip":
            said.append(step(x, y).reason)
        else:
            with pytest.raises(NonFiniteError) as found:
                step(x, y)
            said.append(str(found.value))
        drawn.append(torch.rand(1))
    assert said[0] == said[1] != ""
    assert drawn[0] == drawn[1]
    assert identical(before, snapshot(steps[1][0].model, steps[1][1]))
    assert both_take(steps, batch(6, 10, torch.float32))


def test_a_batch_that_counts_nothing_is_skipped_by_a_program_too():
    steps = pair(network, OPTIMIZERS["momentum"], nn.CrossEntropyLoss(), torch.float64)
    case = PROBLEMS["tokens"]
    for seed in range(3):
        assert both_take(steps, case.batch(6, seed))
    x, y = case.batch(6, 7)
    assert both_take(steps, (x, torch.full_like(y, -100)))
    assert both_take(steps, (x, y))
    assert programs(steps[1][0]) == 1


def test_labels_that_are_no_classes_are_refused_by_a_program_in_the_same_words():
    steps = pair(network, OPTIMIZERS["SGD"], nn.CrossEntropyLoss(), torch.float64)
    case = PROBLEMS["tokens"]
    for seed in range(3):
        assert both_take(steps, case.batch(6, seed))
    x, y = case.batch(6, 7)
    y[0] = 5
    said = []
    for step, _ in steps:
        with pytest.raises(ts.DataError) as found:
            step(x, y)
        said.append(str(found.value))
    assert said[0] == said[1]
    assert both_take(steps, case.batch(6, 8))


CHANGES: dict[str, Any] = {
    "evaluation mode": lambda step, optimizer: step.model[1].eval(),
    "a frozen layer": lambda step, optimizer: step.model[0].requires_grad_(False),
    "another dropout": lambda step, optimizer: setattr(step.model[1], "p", 0.9),
    "momentum begins": lambda step, optimizer: optimizer.param_groups[0].update(momentum=0.9),
    "decay begins": lambda step, optimizer: optimizer.param_groups[0].update(weight_decay=0.5),
    "state from elsewhere": lambda step, optimizer: optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict())),
    "a hook": lambda step, optimizer: step.model[0].register_forward_hook(lambda m, a, out: out * 2),
    "another limit": lambda step, optimizer: setattr(step, "clip_norm", 0.01),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_between_steps_changes_the_program(change: str):
    steps = pair(MODELS["dropout"], OPTIMIZERS["SGD"])
    for seed in range(3):
        assert both_take(steps, batch(6, seed, torch.float32))
    assert programs(steps[1][0]) == 1
    for step, optimizer in steps:
        CHANGES[change](step, optimizer)
    for seed in range(3, 7):
        assert both_take(steps, batch(6, seed, torch.float32))


class _Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.calls = nn.Linear(3, 5), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.inner(x) * (1 if self.calls < 5 else 2)


class _Smoothed(nn.Module):
    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 5)
        self.register_buffer("mean", torch.zeros(5))

    def forward(self, x: Tensor) -> Tensor:
        out = self.inner(x)
        self.mean.mul_(0.9).add_(out.detach().mean(0), alpha=0.1)
        return out - self.mean


class _Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) * (2.0 if float(x.sum()) > 0 else 1)


REFUSED: dict[str, Any] = {
    "changes an attribute of a module": _Counting,
    "moves the buffer mean": _Smoothed,
    "reads a number from a tensor": _Branching,
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_model_that_no_program_could_repeat_is_stepped_as_ever_and_told(words: str):
    steps = pair(REFUSED[words], OPTIMIZERS["momentum"])
    for seed in range(6):
        assert both_take(steps, batch(6, seed, torch.float32))
    assert words in " ".join(steps[1][0].notes)


def test_what_only_the_bits_show_keeps_programs_away():
    """A method of this one optimizer was exchanged: nothing tells but where the step ends."""
    steps = pair(MODELS["one weight twice"], OPTIMIZERS["momentum"])
    for _, optimizer in steps:
        plain = optimizer.step
        optimizer.step = lambda plain=plain, optimizer=optimizer: (
            plain(), [p.data.mul_(1 + 1e-6) for group in optimizer.param_groups for p in group["params"]]
        )  # fmt: skip
    for seed in range(5):
        assert both_take(steps, batch(6, seed, torch.float32))
    assert "does not end on the same bits" in " ".join(steps[1][0].notes)


def test_a_gradient_that_two_weights_share_is_clipped_once_for_each():
    steps = pair(lambda: _Sum(), OPTIMIZERS["momentum"], clip_norm=0.01)
    for seed in range(5):
        assert both_take(steps, batch(6, seed, torch.float32))
    assert programs(steps[1][0]) == 1


@pytest.mark.parametrize("name", WITHOUT)
def test_an_optimizer_without_a_rule_for_programs_steps_itself(name: str):
    steps = pair(network, lambda p: WITHOUT[name](p, 0.01), dtype=torch.float64)
    for seed in range(4):
        assert both_take(steps, batch(6, seed, torch.float64))
    assert "the steps are taken without a program of their own" in " ".join(steps[1][0].notes)
