"""The step on a split batch is the step on the whole batch, for every kind of count, early or late."""

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

import truestep as ts
from laws.step_cases import (
    CLASSES,
    EARLY,
    PROBLEMS,
    WIDTH,
    Problem,
    close,
    cross_entropy,
    labels,
    network,
    same_weights,
    twin,
)  # fmt: skip
from reference import step as by_hand
from truestep.core.batch import take

every_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
SAMPLES, MICRO, SEED = st.integers(1, 9), st.integers(1, 10), st.integers(0, 999)
SCALES = st.sampled_from([0.0, 1e-15, 1e-6, 1.0, 1e6, 1e15])


def sgd(model: nn.Module, lr: float = 0.1, **options: Any) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=lr, **options)


def parts(batch: tuple[Any, Any], *edges: int) -> list[tuple[Any, Any]]:
    return [take(batch, slice(a, b)) for a, b in itertools.pairwise(edges)]


def test_problems_count_early_and_late_as_they_say():
    for name, problem in PROBLEMS.items():
        counts = problem.objective.known_counts([problem.batch(4, 0)[1]])
        assert (name in EARLY) == all(count is not None for count in counts.values())


@every_problem
@given(samples=SAMPLES, micro=MICRO, seed=SEED, scale=SCALES)
def test_micro_batch_changes_nothing(problem: Problem, samples: int, micro: int, seed: int, scale: float):
    batch = problem.batch(samples, seed, min(scale, problem.largest))
    model, reference = network(seed), network(seed)
    value = by_hand.take(reference, problem.value, by_hand.sgd(0.1), [{} for _ in range(4)], *batch)
    out = ts.TrainStep(model, problem.objective, sgd(model), micro_batch=micro)(*batch)
    assert close(out.loss, value)
    assert out.samples == samples
    assert same_weights(model, reference)


@every_problem
@pytest.mark.parametrize(
    "optimizer, rule",
    [
        (lambda p: torch.optim.SGD(p, 0.05), by_hand.sgd(0.05)),
        (lambda p: torch.optim.SGD(p, 0.05, momentum=0.9), by_hand.sgd(0.05, 0.9)),
        (
            lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, weight_decay=0.1, nesterov=True),
            by_hand.sgd(0.05, 0.9, 0.1, True),
        ),
        (lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1), by_hand.adamw(0.01, weight_decay=0.1)),
    ],
    ids=["sgd", "momentum", "nesterov and decay", "adamw"],
)
def test_five_steps_are_the_five_steps_of_the_textbook(problem: Problem, optimizer: Any, rule: by_hand.Rule):
    model, reference = network(), network()
    step = ts.TrainStep(model, problem.objective, optimizer(model.parameters()), micro_batch=3, clip_norm=0.5)
    states: list[by_hand.State] = [{} for _ in range(4)]
    for seed in range(5):
        batch = problem.batch(7 + seed, seed)
        value = by_hand.take(reference, problem.value, rule, states, *batch, limit=0.5)
        assert close(step(*batch).loss, value, 1e-11)
        assert same_weights(model, reference, 1e-11)


@every_problem
@given(samples=st.integers(2, 9), edges=st.lists(st.integers(0, 9), max_size=4), micro=st.none() | MICRO, seed=SEED)
def test_windows_equal_one_batch(problem: Problem, samples: int, edges: list[int], micro: int | None, seed: int):
    """Loader batches of any sizes, empty ones among them, are one batch."""
    batch = problem.batch(samples, seed)
    windows = parts(batch, 0, *sorted(min(edge, samples) for edge in edges), samples)
    model, whole = network(seed), network(seed)
    ts.TrainStep(whole, problem.objective, sgd(whole))(*batch)
    out = ts.TrainStep(model, problem.objective, sgd(model), micro_batch=micro).window(windows)
    assert out.samples == samples
    assert same_weights(model, whole)


@every_problem
@given(samples=SAMPLES, micro=MICRO, seed=SEED)
def test_the_order_of_samples_changes_nothing(problem: Problem, samples: int, micro: int, seed: int):
    batch = problem.batch(samples, seed)
    model, other = network(seed), network(seed)
    shuffled = take(batch, torch.randperm(samples))
    a = ts.TrainStep(model, problem.objective, sgd(model), micro_batch=micro)(*batch)
    b = ts.TrainStep(other, problem.objective, sgd(other), micro_batch=micro)(*shuffled)
    assert close(a.loss, b.loss)
    assert same_weights(model, other)


@given(samples=SAMPLES, padding=st.integers(0, 6), micro=MICRO, seed=SEED)
def test_padding_changes_nothing(samples: int, padding: int, micro: int, seed: int):
    """Ignored targets take no part: batches with and without them take one and the same step."""
    problem = EARLY["tokens"]
    x, y = problem.batch(samples, seed)
    padded = torch.cat([x, torch.randn(padding, WIDTH).double()]), torch.cat([y, torch.full((padding,), -100)])
    model, longer = network(seed), network(seed)
    out = ts.TrainStep(model, problem.objective, sgd(model))(x, y)
    more = ts.TrainStep(longer, problem.objective, sgd(longer), micro_batch=micro)(*padded)
    assert (more.count, more.samples) == (out.count, out.samples + padding)
    assert same_weights(longer, model)


@given(samples=SAMPLES, micro=MICRO, seed=SEED)
def test_a_sum_is_n_times_the_mean(samples: int, micro: int, seed: int):
    batch = EARLY["mean"].batch(samples, seed)
    model, other = network(seed), network(seed)
    elements = samples * CLASSES
    a = ts.TrainStep(model, nn.MSELoss(), sgd(model), micro_batch=micro)(*batch)
    summed = nn.MSELoss(reduction="sum")
    b = ts.TrainStep(other, summed, sgd(other, 0.1 / elements), micro_batch=micro)(*batch)
    assert close(a.loss * elements, b.loss)
    assert b.sizes == {"MSELoss": elements}
    assert same_weights(model, other)


def updater(model: nn.Module, lr: float, seen: list[float] | None = None) -> Any:
    def update(batch_size: float) -> None:
        for parameter in model.parameters():
            assert parameter.grad is not None
            parameter -= lr * parameter.grad / batch_size
        if seen is not None:
            seen.append(batch_size)

    return update


@every_problem
@given(samples=SAMPLES, micro=st.none() | MICRO, seed=SEED)
def test_a_hand_written_updater_equals_sgd(problem: Problem, samples: int, micro: int | None, seed: int):
    batch = problem.batch(samples, seed)
    model, other, seen = network(seed), network(seed), []
    a = ts.TrainStep(model, problem.objective, sgd(model), clip_norm=0.3)(*batch)
    b = ts.TrainStep(other, problem.objective, updater(other, 0.1, seen), micro_batch=micro, clip_norm=0.3)(*batch)
    assert close(b.loss, a.loss)
    if problem.objective.summed:  # the updater divides a sum by the samples: see the next law
        assert seen == [samples]
    else:
        assert close(b.grad_norm, a.grad_norm)
        assert same_weights(other, model)


@pytest.mark.parametrize("micro", [None, 1, 3])
def test_three_spellings_of_one_step_end_in_the_same_weights(micro: int | None):
    """The sum with an updater that divides, the mean with torch's SGD, and `none` with either."""
    x, y = torch.randn(8, 2).double(), torch.randn(8, 1).double()
    ends = []
    for reduction, own in [("sum", True), ("mean", False), ("none", True), ("none", False), ("mean", True)]:
        torch.manual_seed(1)
        model, seen = nn.Linear(2, 1).double(), []
        optimizer = updater(model, 0.1, seen) if own else sgd(model)
        ts.TrainStep(model, nn.MSELoss(reduction=reduction), optimizer, micro_batch=micro)(x, y)
        assert seen == ([8] if own else [])
        ends.append(model)
    assert all(same_weights(end, ends[0]) for end in ends)


@every_problem
@pytest.mark.parametrize("limit", [1e-3, 1e6])
def test_clipping_acts_on_the_final_gradient(problem: Problem, limit: float):
    batch = problem.batch(8, 5)
    model, reference = network(), network()
    problem.value(reference(batch[0]), batch[1]).backward()
    norm = clip_grad_norm_(reference.parameters(), limit)
    sgd(reference).step()
    out = ts.TrainStep(model, problem.objective, sgd(model), micro_batch=3, clip_norm=limit)(*batch)
    assert close(out.grad_norm, norm)
    assert same_weights(model, reference)


@every_problem
def test_gradients_of_the_step_before_are_forgotten(problem: Problem):
    model = network()
    fresh = twin(model)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 1e3)
    batch = problem.batch(5, 1)
    ts.TrainStep(model, problem.objective, sgd(model), micro_batch=2)(*batch)
    ts.TrainStep(fresh, problem.objective, sgd(fresh))(*batch)
    assert same_weights(model, fresh)


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = network()

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.net(left - 2 * right)


@pytest.mark.parametrize("form", [tuple, list, dict])
def test_inputs_may_be_tuples_or_dicts(form: Any):
    left, right, y = torch.randn(7, WIDTH).double(), torch.randn(7, WIDTH).double(), labels(7, torch.Generator())
    model, reference = TwoInputs(), TwoInputs()
    inputs = {"right": right, "left": left} if form is dict else form([left, right])
    by_hand.take(reference.net, cross_entropy, by_hand.sgd(0.1), [{} for _ in range(4)], left - 2 * right, y)
    ts.TrainStep(model, EARLY["tokens"].objective, sgd(model), micro_batch=2)(inputs, y)
    assert same_weights(model, reference)
