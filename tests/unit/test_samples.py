"""What a sample adds to the objective, what is left out of it, and that nothing is left behind."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

import truestep as ts
from laws.step_cases import CLASSES, PROBLEMS, WEIGHT, WIDTH, Problem, close, identical, network, snapshot
from reference import per_sample
from truestep.core.batch import take
from truestep.core.errors import ConfigError, DataError
from truestep.explain.samples import sample_records
from unit.norm_cases import SQUARES, SUM, Calls, contribution, counts_of, recorded, squared


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
@given(samples=st.integers(1, 9), seed=st.integers(0, 999), scale=st.sampled_from([0.0, 1e-15, 1.0, 1e15]))
def test_contributions_and_their_gradients_add_up_to_the_batch(problem: Problem, samples: int, seed: int, scale: float):
    x, y = problem.batch(samples, seed, min(scale, problem.largest))
    model = network(seed)
    parameters = list(model.parameters())
    counts = counts_of(problem.objective, model(x), y)
    with torch.no_grad():  # a caller may well measure without gradients of its own
        found = sample_records(model, problem.objective, x, y, parameters, counts)
    value = contribution(problem.objective, counts)
    values, gradients, norms = per_sample.records(model, value, x, y, parameters, samples)
    whole = problem.value(model(x), y)
    assert found.method == "batched"
    assert close(found.losses.sum(), whole.detach())
    assert close(sum(found.terms.values()), found.losses)
    assert close(found.losses, values)
    assert close(found.norms, norms, 1e-10)
    for each, gradient in zip(zip(*gradients, strict=True), torch.autograd.grad(whole, parameters), strict=True):
        assert close(sum(each), gradient, 1e-9)


@given(seed=st.integers(0, 999))
def test_records_move_with_their_samples(seed: int):
    x, y = torch.randn(6, WIDTH, dtype=torch.float64), torch.randint(CLASSES, (6,))
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    objective, model = ts.Objective(nn.CrossEntropyLoss(WEIGHT)), network()
    found, again = recorded(model, objective, x, y), recorded(model, objective, x[order], y[order])
    assert close(again.norms, found.norms[order], 1e-14)
    assert close(again.losses, found.losses[order], 1e-14)


def test_a_sample_that_nothing_counts_has_no_loss_and_no_gradient():
    y = torch.tensor([[1, -100, 2], [-100, -100, -100], [0, 0, 4]])
    x = torch.randn(3, CLASSES, 3, dtype=torch.float64)
    found = recorded(nn.Conv1d(CLASSES, CLASSES, 1).double(), ts.Objective(nn.CrossEntropyLoss(WEIGHT)), x, y)
    assert found.losses[1] == found.norms[1] == 0
    assert (found.norms[[0, 2]] > 0).all()


def test_counts_are_those_of_the_whole_step():
    x, y = torch.randn(4, WIDTH), torch.randint(CLASSES, (4,))
    model, objective = network().float(), ts.Objective(nn.CrossEntropyLoss())
    one, tenth = (
        sample_records(model, objective, x, y, list(model.parameters()), {"CrossEntropyLoss": c}) for c in (4, 40)
    )
    assert close(tenth.norms * 10, one.norms, 1e-6)
    assert close(tenth.losses * 10, one.losses, 1e-6)


def contrast(output: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(output @ target.T, torch.arange(len(output)), reduction="none")


def distance(output: Tensor, target: Tensor) -> Tensor:
    return (output - target).abs().sum()


@pytest.mark.parametrize(
    "term, words",
    [
        (ts.Term(nn.MSELoss(), of=lambda o, t: (o.sum(), t.sum()), couples=True), "couples the samples of a batch"),
        (contrast, "does not add up to what it says of the batch, so it couples samples"),
        (lambda o, t: (o - t).abs().mean(), "returns one number and does not say"),
        (ts.Term(nn.MSELoss(), of=lambda o, t: (o.mean(0), t.mean(0))), "so it couples samples"),
    ],
)
def test_terms_that_couple_samples_are_left_out_and_named(term: Any, words: str):
    model, x, y = nn.Linear(3, 4), torch.randn(6, 3), torch.randn(6, 4)
    found = recorded(model, ts.Objective(mse=nn.MSELoss(), other=term), x, y)
    alone = recorded(model, ts.Objective(mse=nn.MSELoss()), x, y)
    assert list(found.terms) == ["mse"]
    assert found.notes[0].startswith("The term other is left out of the samples: ")
    assert words in found.notes[0]
    assert torch.equal(found.norms, alone.norms)
    assert list(recorded(model, ts.Objective(other=term), x[:1], y[:1]).terms) == ["other"]
    nothing = recorded(model, ts.Objective(other=term), x, y)
    assert nothing.losses.isnan().all()
    assert nothing.norms.isnan().all()


def test_terms_are_taken_apart_whatever_they_return():
    """A scalar by vmap, one that reads values by a loop, a Loss, elements laid out in another order."""
    terms = {
        "scalar": ts.Term(distance, reduction="sum"),
        "reads": ts.Term(lambda o, t: distance(o, t) if o.sum().item() < 1e9 else o.sum(), reduction="sum"),
        "loss": lambda o, t: ts.Loss(distance(o, t), o.numel()),
        "order": lambda o, t: (o - t).abs().T,
    }
    model, x, y = (
        nn.Linear(3, 4).double(),
        torch.randn(4, 3, dtype=torch.float64),
        torch.randn(4, 4, dtype=torch.float64),
    )
    found = recorded(model, ts.Objective(**terms), x, y)
    each = (model(x) - y).abs().sum(1).detach()
    for name, count in {"scalar": 1, "reads": 1, "loss": 16, "order": 16}.items():
        assert close(found.terms[name], each / count)


@pytest.mark.parametrize("reduction, terms", [("sum", ["CTCLoss"]), ("mean", [])])
def test_time_before_the_batch_is_no_way_to_take_samples_apart(reduction: str, terms: list[str]):
    """Torch's own elements tell a sum by sample; its mean also divides each by its length, and is left out."""
    model, x = Calls(lambda x, one: one(x).log_softmax(2).transpose(0, 1), nn.Linear(3, 4)), torch.randn(2, 6, 3)
    y = torch.randint(1, 4, (2, 3)), torch.tensor([6, 6]), torch.tensor([2, 3])
    objective = ts.Objective(nn.CTCLoss(reduction=reduction))
    found = recorded(model, objective, x, y)
    assert list(found.terms) == terms
    if terms:
        assert found.method == "batched"
        norms = per_sample.records(
            model, lambda o, t: F.ctc_loss(o, *t, reduction="sum"), x, y, list(model.parameters()), 2
        )[2]
        assert close(found.norms, norms, 1e-6)


def test_tuples_and_dicts_go_in_and_out():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(3, 4), nn.Linear(3, 4)

        def forward(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
            return {"sum": self.one(a) + self.two(b), "a": a}

    model, x = Two().double(), {"a": torch.randn(5, 3).double(), "b": torch.randn(5, 3).double()}
    objective = ts.Objective(ts.Term(nn.MSELoss(reduction="sum"), of=lambda o, t: (o["sum"], t["y"])))
    y = {"y": torch.randn(5, 4, dtype=torch.float64)}
    parameters = list(model.parameters())
    found = sample_records(model, objective, x, y, parameters, SUM)
    each = per_sample.records(
        lambda x: model(**x), lambda o, t: squared(o["sum"], t["y"]), x, y, parameters, 5
    )  # fmt: skip
    assert (found.method, found.outputs) == ("batched", None)
    assert close(found.norms, each[2], 1e-10)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("train", [False, True])
def test_nothing_is_left_behind(fails: bool, train: bool):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), Counting()).train(train)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    model[3].fails = fails
    buffer = model[3].calls
    before, state, modes = snapshot(model), torch.get_rng_state(), [m.training for m in model.modules()]
    arguments = (model, SQUARES, torch.randn(5, 3, generator=torch.Generator()), torch.zeros(5, 4))
    if fails:
        with pytest.raises(ZeroDivisionError):
            sample_records(*arguments, list(model.parameters()), SUM)
    else:
        sample_records(*arguments, list(model.parameters()), SUM)
    assert identical(before, snapshot(model))
    assert model[3].calls is buffer
    assert torch.equal(state, torch.get_rng_state())
    assert modes == [m.training for m in model.modules()]
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


class Counting(nn.Module):
    """A parameter of its own, and a buffer that every call replaces."""

    fails = False

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.randn(4))
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        self.calls = self.calls + 1
        return x + self.shift if not self.fails else x / (1 // 0)


def test_the_hardest_samples_come_first():
    model, x = nn.Identity(), torch.tensor([[1.0], [3.0], [2.0], [3.0]])
    found = sample_records(model, SQUARES, x, torch.zeros(4, 1), [], SUM)
    assert found.hardest(3) == [(1, 9.0, 0.0), (3, 9.0, 0.0), (2, 4.0, 0.0)]
    assert found.order.tolist() == [1, 3, 2, 0]
    assert len(found.hardest(9)) == 4
    assert recorded(model, SQUARES, torch.ones(500, 1), torch.zeros(500, 1)).order.tolist() == list(range(500))
    assert torch.equal(found.outputs, x)


def test_a_loss_that_is_not_finite_is_the_hardest():
    x = torch.tensor([[1.0], [float("nan")], [float("inf")]])
    model = nn.Linear(1, 1)
    found = recorded(model, SQUARES, x, torch.zeros(3, 1))
    assert found.order.tolist() == [1, 2, 0]
    assert torch.isfinite(found.norms[0])
    assert not torch.isfinite(found.norms[1:]).any()
    assert "the loss of some sample is not a finite number" in found.notes[0]


def test_errors_say_what_to_do():
    model, x, y = nn.Linear(3, 2), torch.randn(4, 3), torch.randn(4, 2)
    with pytest.raises(ConfigError, match=r"^counts lacks the term MSELoss: give the counts of the step, out.counts.$"):
        sample_records(model, SQUARES, x, y, list(model.parameters()), {})
    with pytest.raises(DataError, match=r"^a batch without samples has nothing to show: give at least one sample.$"):
        sample_records(model, SQUARES, x[:0], y[:0], list(model.parameters()), SUM)


def test_a_batch_of_several_micro_batches_is_covered_by_its_parts():
    x, y = torch.randn(7, WIDTH, dtype=torch.float64), torch.randint(CLASSES, (7,))
    model, objective = network(), ts.Objective(nn.CrossEntropyLoss(WEIGHT))
    counts = counts_of(objective, model(x), y)
    whole = sample_records(model, objective, x, y, list(model.parameters()), counts)
    parts = [
        sample_records(model, objective, *take((x, y), part), list(model.parameters()), counts)
        for part in (slice(0, 3), slice(3, 7))
    ]
    assert close(torch.cat([part.norms for part in parts]), whole.norms)
    assert close(torch.cat([part.losses for part in parts]), whole.losses)
