"""The ends of the range: everything ignored, nothing there, one sample, a micro-batch larger than the batch."""

import math
from typing import Any

import pytest
import torch
from torch import nn, optim
from torch.nn import functional as F

import truestep as ts
from laws.step_cases import (
    MASKED,
    PROBLEMS,
    TOKENS,
    WIDTH,
    Problem,
    close,
    cross_entropy,
    identical,
    network,
    same_weights,
    snapshot,
)  # fmt: skip

REASON = "step 2 skipped: nothing in the batch is counted: every target is ignored"
ignoring = pytest.mark.parametrize(
    "objective",
    [
        ts.Objective(nn.CrossEntropyLoss()),
        ts.Objective(ts.Term(nn.CrossEntropyLoss(), of=lambda o, y: (o, y))),
        ts.Objective(one=nn.CrossEntropyLoss(), two=(0.5, nn.CrossEntropyLoss(ignore_index=-100, label_smoothing=0.1))),
        ts.Objective(
            ts.Term(
                lambda o, y: F.cross_entropy(o, y), reduction="mean", count=lambda o, y: int((y != -100).sum())
            )
        ),
        ts.Objective(ts.Term(F.cross_entropy, of=lambda o, y: (o, y), count=lambda o, y: (y != -100).sum())),
    ],
    ids=["early", "late", "two terms", "scalar with its count", "stock with a count"],
)  # fmt: skip


def sgd(model: nn.Module, **options: Any) -> optim.SGD:
    return optim.SGD(model.parameters(), 0.1, **options)


@ignoring
@pytest.mark.parametrize("micro", [None, 2])
@pytest.mark.parametrize("own", [False, True], ids=["torch", "updater"])
def test_a_batch_that_counts_nothing_is_skipped_and_moves_nothing(objective: Any, micro: int | None, own: bool):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(WIDTH, 4), nn.BatchNorm1d(4), nn.Linear(4, 5)).double()
    optimizer = sgd(model, momentum=0.9, weight_decay=0.1)
    moving = (lambda batch_size: optimizer.step()) if own else optimizer
    step = ts.TrainStep(model, objective, moving, micro_batch=micro)
    x, y = PROBLEMS["tokens"].batch(6, 0)
    step(x, y)
    before = snapshot(model, optimizer)
    out = step(x, torch.full_like(y, -100))
    assert (out.skipped, out.reason, out.count) == (True, REASON, 0)
    assert math.isnan(out.loss) or out.loss == 0
    assert identical(before, snapshot(model, optimizer))
    assert not step(x, y).skipped


@ignoring
def test_a_micro_batch_that_counts_nothing_takes_no_part(objective: Any):
    model, reference = network(), network()
    x, y = PROBLEMS["tokens"].batch(9, 0)
    y[2:6] = -100
    ts.TrainStep(model, objective, sgd(model), micro_batch=2)(x, y)
    ts.TrainStep(reference, objective, sgd(reference))(x, y)
    assert same_weights(model, reference)
    alone = network()
    ts.TrainStep(alone, objective, sgd(alone))(x[y != -100], y[y != -100])
    assert same_weights(model, alone)


@pytest.mark.parametrize("micro", [None, 1, 2])
def test_a_term_that_counts_nothing_leaves_the_others_exact(micro: int | None):
    objective = ts.Objective(
        values=ts.Term(nn.MSELoss(), of=lambda o, y: (o, y["values"])),
        tokens=ts.Term(nn.CrossEntropyLoss(), 0.7, **TOKENS),
        masked=MASKED,
    )
    model, reference = network(), network()
    x, y = PROBLEMS["elements and tokens"].batch(5, 0)
    y["tokens"] = torch.full((5,), -100)
    F.mse_loss(reference(x), y["values"]).backward()
    sgd(reference).step()
    out = ts.TrainStep(model, objective, sgd(model), micro_batch=micro)(x, y)
    assert out.counts == {"values": 25, "tokens": 0, "masked": 0}
    assert close(out.loss, out.terms["values"])
    assert same_weights(model, reference)


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
@pytest.mark.parametrize("micro", [None, 1, 100])
def test_a_single_sample_is_a_batch(problem: Problem, micro: int | None):
    model, reference = network(), network()
    x, y = problem.batch(1, 3)
    problem.value(reference(x), y).backward()
    sgd(reference).step()
    out = ts.TrainStep(model, problem.objective, sgd(model), micro_batch=micro)(x, y)
    assert out.samples == 1
    assert same_weights(model, reference)


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_empty_tensor_among_the_windows_takes_no_part(problem: Problem, place: int):
    model, reference = network(), network()
    windows = [problem.batch(3, 1), problem.batch(2, 2)]
    ts.TrainStep(reference, problem.objective, sgd(reference)).window(windows)
    out = ts.TrainStep(model, problem.objective, sgd(model)).window(
        [*windows[:place], problem.batch(0, 0), *windows[place:]]
    )
    assert (out.samples, out.skipped) == (5, False)
    assert same_weights(model, reference, 0.0)


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
@pytest.mark.parametrize("empty", [[], [0], [0, 0]])
def test_a_step_without_samples_is_skipped(problem: Problem, empty: list[int]):
    model = network()
    optimizer = sgd(model, momentum=0.9, weight_decay=0.1)
    before = snapshot(model, optimizer)
    out = ts.TrainStep(model, problem.objective, optimizer).window([problem.batch(n, 0) for n in empty])
    assert (out.skipped, out.reason) == (True, "step 1 skipped: the batch has no samples")
    assert identical(before, snapshot(model, optimizer))


def test_class_weights_of_zero_count_nothing():
    model = network()
    weight = torch.tensor([0.0, 0, 1, 1, 1], dtype=torch.float64)
    before = snapshot(model)
    step = ts.TrainStep(model, nn.CrossEntropyLoss(weight), sgd(model), micro_batch=1)
    assert step(torch.randn(3, WIDTH).double(), torch.tensor([0, 1, 0])).skipped
    assert identical(before, snapshot(model))
    assert not step(torch.randn(3, WIDTH).double(), torch.tensor([0, 1, 2])).skipped


def test_the_total_of_a_whole_epoch_is_that_of_its_steps():
    """Totals and counts of steps add up to the loss of all their samples, with lr 0."""
    model = network()
    step = ts.TrainStep(model, PROBLEMS["tokens"].objective, optim.SGD(model.parameters(), 0.0), micro_batch=2)
    x, y = PROBLEMS["tokens"].batch(11, 0)
    outs = [step(x[a:b], y[a:b]) for a, b in [(0, 4), (4, 5), (5, 11)]]
    total = sum(out.totals["CrossEntropyLoss"] for out in outs)
    assert close(total / sum(out.count for out in outs), cross_entropy(model(x), y).detach())
