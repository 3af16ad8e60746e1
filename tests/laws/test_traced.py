"""A step as programs is the step itself to the last bit: weights, state, figures, random draws, and what goes wrong."""

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
    "NAdam": lambda p: optim.NAdam(p, 0.01, weight_decay=0.01, decoupled_weight_decay=True),
    "RAdam": lambda p: optim.RAdam(p, 0.01, weight_decay=0.01),
}
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


class Shared(nn.Module):
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
        for seed in range(12):  # RAdam's first five go otherwise, and are no program
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
