"""Objective, Term and Loss: what they mean, how they are spelled, and what they refuse."""

import functools
import math
import operator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import truestep as ts
from truestep.core.errors import ConfigError, CountError, ShapeError
from truestep.core.stock import recognise


def pair(*shape: int) -> tuple[Tensor, Tensor]:
    return torch.randn(*shape).double(), torch.randn(*shape).double()


def squares(output: Tensor, target: Tensor) -> Tensor:
    return (output - target).square()


def one_number(output: Tensor, target: Tensor) -> Tensor:
    return squares(output, target).mean()


def test_terms_are_named_after_their_losses():
    objective = ts.Objective(nn.MSELoss(), squares, functools.partial(F.l1_loss, reduction="sum"))
    assert list(objective.terms) == ["MSELoss", "squares", "l1_loss"]
    assert list(ts.Objective(lambda o, y: o).terms) == ["loss"]
    assert repr(ts.Objective(a=nn.MSELoss(), b=(0.5, nn.L1Loss()))) == "Objective(a=1 * MSELoss, b=0.5 * L1Loss)"


def test_the_value_is_the_weighted_sum_of_the_means():
    x, y = pair(4, 3)
    found = ts.Objective(mse=nn.MSELoss(), mae=(0.5, nn.L1Loss()))(x, y)
    assert float(found) == pytest.approx(float(F.mse_loss(x, y) + F.l1_loss(x, y) / 2))
    assert set(found.terms) == {"mse", "mae"}
    assert float(found.terms["mae"]) == pytest.approx(float(F.l1_loss(x, y)))
    assert (found.count, found.samples) == (12, 4)


def test_terms_with_counts_of_their_own_keep_them():
    x, y = torch.randn(4, 3).double(), torch.rand(4, 3).double()
    objective = ts.Objective(rows=nn.KLDivLoss(reduction="batchmean"), each=nn.MSELoss())
    whole, merged = objective(x, y), objective(x[:1], y[:1]) + objective(x[1:], y[1:])
    assert {name: term.count for name, term in merged.terms.items()} == {"rows": 4, "each": 12}
    assert float(merged.mean) == pytest.approx(float(whole.mean), rel=1e-12)
    assert (whole.count, merged.count) == (4, 4), "without a common count the mixture is counted in samples"


def test_a_term_that_counts_nothing_adds_nothing_to_the_mixture():
    x, y = pair(4, 3)
    tokens = ts.Term(nn.CrossEntropyLoss(), of=lambda output, target: (output, target[1]))
    objective = ts.Objective(values=ts.Term(nn.MSELoss(), of=lambda o, target: (o, target[0])), tokens=tokens)
    ignored = torch.full((4,), -100)
    assert float(objective(x, (y, ignored))) == pytest.approx(float(F.mse_loss(x, y)))
    merged = objective(x[:1], (y[:1], ignored[:1])) + objective(x[1:], (y[1:], torch.tensor([0, -100, 2])))
    expected = F.mse_loss(x, y) + F.cross_entropy(x[[1, 3]], torch.tensor([0, 2]))
    assert float(merged) == pytest.approx(float(expected))
    assert math.isnan(ts.Objective(tokens)(x, (y, ignored)).mean)


def test_a_weighted_term_multiplies_its_own_weight():
    inner = ts.Term(nn.MSELoss(), weight=3.0)
    assert ts.Objective(a=(0.5, inner)).weights == {"a": 1.5}
    assert ts.Objective(a=inner).terms["a"] is inner


def test_of_chooses_what_a_loss_sees():
    x, y = pair(4, 3)
    term = ts.Term(nn.MSELoss(), of=lambda output, target: (output["a"], target[1]))
    assert torch.equal(ts.Objective(term)({"a": x}, (x, y)).mean, F.mse_loss(x, y))


def test_elements_mean_their_mean_and_a_stated_sum_their_sum():
    x, y = pair(4, 3)
    assert float(ts.Objective(squares)(x, y)) == pytest.approx(float(F.mse_loss(x, y)))
    found = ts.Objective(ts.Term(squares, reduction="sum"))(x, y)
    assert (found.count, found.size, found.reduction) == (1, 12, "sum")
    assert float(found) == pytest.approx(12 * float(F.mse_loss(x, y)))
    assert float(ts.Objective(ts.Term(squares, count=lambda o, y: 2))(x, y)) == pytest.approx(float(found) / 2)


def test_a_scalar_is_a_sum_or_a_mean_with_its_count():
    x, y = pair(4, 3)
    mean = ts.Objective(ts.Term(one_number, reduction="mean", count=lambda o, y: o.numel()))
    summed = ts.Objective(ts.Term(lambda o, y: squares(o, y).sum(), reduction="sum"))
    for objective in (mean, summed):
        whole, parts = objective(x, y), objective(x[:3], y[:3]) + objective(x[3:], y[3:])
        assert float(parts.mean) == pytest.approx(float(whole.mean), rel=1e-12)


def test_a_scalar_that_says_nothing_is_taken_whole_and_never_split():
    x, y = pair(4, 3)
    objective = ts.Objective(one_number)
    assert torch.equal(objective(x, y).mean, one_number(x, y))
    with pytest.raises(CountError, match=r"one_number returns one number and does not say .* ts\.Term\(one_number, "):
        objective(x[:2], y[:2]) + objective(x[2:], y[2:])


def test_a_coupled_term_is_never_merged():
    x, y = pair(4, 3)
    objective = ts.Objective(each=nn.MSELoss(), whole=ts.Term(nn.MSELoss(), couples=True))
    with pytest.raises(CountError, match=r"^the term MSELoss couples the samples of a batch \(couples=True\)"):
        objective(x[:2], y[:2]) + objective(x[2:], y[2:])


@pytest.mark.parametrize(
    "loss, name",
    [
        (nn.BCELoss, "weight"),
        (nn.BCEWithLogitsLoss, "weight"),
        (nn.BCEWithLogitsLoss, "pos_weight"),
        (nn.MultiLabelSoftMarginLoss, "weight"),
    ],
)
def test_weights_of_single_samples_bind_the_loss_to_the_whole_batch(loss: Any, name: str):
    x, y = torch.rand(4, 3), torch.rand(4, 3)
    module = loss(**{name: torch.rand(4, 3)})
    assert float(ts.Objective(module)(x, y)) == pytest.approx(float(module(x, y)))
    one_row = ts.Objective(loss(**{name: torch.rand(4, 3)[:2]}))
    with pytest.raises(CountError, match=f"^the {name} of {loss.__name__} has one row for each sample .*function that"):
        one_row(x[:2], y[:2]) + one_row(x[2:], y[2:])


def test_a_loss_of_its_own_making_may_return_a_total_and_a_count():
    def pearson(output: Tensor, target: Tensor) -> ts.Loss:
        return ts.Loss(squares(output, target).sum(), 5.0, size=7, alone="it couples")

    x, y = pair(4, 3)
    found = ts.Objective(pearson)(x, y).terms["pearson"]
    assert (found.count, found.size, found.samples, found.alone) == (5.0, 7, 4, "it couples")


def test_a_returned_loss_must_agree_with_its_term():
    def summed(output: Tensor, target: Tensor) -> ts.Loss:
        return ts.Loss(squares(output, target).sum(), 1.0, "sum")

    with pytest.raises(ConfigError, match=r"is a sum, and its term is not: ts\.Term\(summed, reduction='sum'"):
        ts.Objective(summed)(*pair(4, 3))
    assert ts.Objective(ts.Term(summed, reduction="sum"))(*pair(4, 3)).reduction == "sum"


def test_an_objective_is_no_term_of_another():
    """Its mixture has no single count, so its totals would not add up."""
    inner = ts.Objective(rows=nn.KLDivLoss(reduction="batchmean"), each=nn.MSELoss())
    with pytest.raises(ConfigError, match=r"returned the loss of an objective, .* give its terms to this objective"):
        ts.Objective(inner)(*pair(4, 3))
    with pytest.raises(ConfigError, match="give its terms to this objective"):
        ts.Objective(lambda o, y: inner(o, y))(*pair(4, 3))


@pytest.mark.parametrize("function, cls", [(F.cross_entropy, nn.CrossEntropyLoss), (F.mse_loss, nn.MSELoss)])
def test_functions_of_torch_are_recognised(function: Any, cls: Any):
    for given in (function, functools.partial(function), functools.partial(function, reduction="sum")):
        stock = recognise(given)
        assert stock is not None
        assert type(stock.module) is cls
    assert recognise(functools.partial(function, torch.zeros(1))) is None


def test_a_subclass_that_computes_otherwise_is_not_taken_for_a_stock_loss():
    class Weird(nn.MSELoss):
        def forward(self, input: Tensor, target: Tensor) -> Tensor:
            return super().forward(input, target) ** 0.5

    class Renamed(nn.MSELoss):
        pass

    patched = nn.MSELoss()
    patched.forward = lambda input, target: one_number(input, target) ** 0.5
    x, y = pair(4, 3)
    assert recognise(Weird()) is None
    assert recognise(patched) is None
    assert recognise(Renamed()) is not None
    for loss in (Weird(), patched):
        assert float(ts.Objective(loss)(x, y)) == pytest.approx(float(F.mse_loss(x, y)) ** 0.5)
        with pytest.raises(CountError, match="returns one number"):
            ts.Objective(loss)(x, y) + ts.Objective(loss)(x, y)


def test_the_loss_of_the_user_stays_as_it_was():
    weight = torch.rand(3).double()
    loss = nn.CrossEntropyLoss(weight, reduction="mean")
    objective = ts.Objective(loss)
    objective(torch.randn(4, 3).double(), torch.tensor([0, 1, 2, 1]))
    assert loss.reduction == "mean"
    loss.weight = weight * 2  # what is changed later is seen
    found = objective(torch.randn(4, 3).double(), torch.tensor([0, 1, 2, 1]))
    assert float(found.count) == pytest.approx(float(2 * weight[[0, 1, 2, 1]].sum()))


@pytest.mark.parametrize("bad", ["None", "Mean", "average", "batchmean", None, 3])
def test_a_reduction_that_torch_does_not_know_is_refused(bad: Any):
    loss = nn.MSELoss(reduction=bad)
    with pytest.raises(ConfigError, match=r"^MSELoss has no reduction .* It knows mean, sum, none\.$") as found:
        ts.Objective(loss)
    hint = {"None": "did you mean 'none'?", "Mean": "did you mean 'mean'?"}.get(bad, "")
    assert hint in str(found.value)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: ts.Objective(), r"^an objective needs at least one loss: ts\.Objective\(nn\.MSELoss\(\)\)\.$"),
        (
            lambda: ts.Objective(nn.MSELoss(), nn.MSELoss()),
            r"^two terms are called MSELoss: name them, ts\.Objective",
        ),
        (lambda: ts.Objective(3.0), r"^a loss must be callable as loss\(output, target\), and 3\.0 is not\.$"),
        (lambda: ts.Objective(a=("x", nn.MSELoss())), r"^the weight of a term must be a number, and 'x' is none\.$"),
        (lambda: ts.Objective(a=(float("nan"), nn.MSELoss())), r"^the weight of a term must be finite, and nan is not"),
        (lambda: ts.Term(squares, reduction="none"), r"has no reduction 'none': give the mean of the elements\.$"),
        (lambda: ts.Term(squares, reduction="avg"), r"has no reduction 'avg': give 'mean' or 'sum'\.$"),
        (
            lambda: ts.Term(nn.MSELoss(), reduction="sum"),
            r"belongs to the loss itself: MSELoss\(reduction='sum'\) ",
        ),
        (lambda: ts.Term(squares, reduction="sum", count=len), r"^the term squares is a sum, which has no count"),
        (lambda: ts.Objective(lambda o, y: 3.0)(*pair(2)), r"returned float, which carries no gradient: return a tens"),
        (
            lambda: ts.Objective(ts.Term(one_number, count=lambda o, y: o))(*pair(2)),
            r"^the count of the term one_number is a tensor of shape \(2,\): return one number, such as mask\.sum",
        ),
        (
            lambda: ts.Objective(ts.Term(one_number, count=lambda o, y: None))(*pair(2)),
            r"^the count of the term one_number is NoneType: return one number",
        ),
    ],
)
def test_what_cannot_mean_anything_is_refused_in_a_sentence(make: Any, words: str):
    with pytest.raises(ConfigError, match=words):
        make()


def test_losses_of_unlike_objectives_do_not_merge():
    x, y = pair(4, 3)
    mse, mae, double = ts.Objective(nn.MSELoss()), ts.Objective(nn.L1Loss()), ts.Objective(MSELoss=(2, nn.MSELoss()))
    for other in (mae, double):
        with pytest.raises(ShapeError, match="cannot be merged: merge losses of the same objective"):
            mse(x, y) + other(x, y)
    with pytest.raises(CountError, match=r"^a sum and a mean cannot be merged"):
        ts.Loss(torch.tensor(1.0), 1.0, "sum") + ts.Loss(torch.tensor(1.0), 1.0)


def test_detach_keeps_the_figures_and_drops_the_graph():
    x = torch.randn(4, 3, requires_grad=True)
    found = ts.Objective(a=nn.MSELoss(), b=squares)(x, torch.zeros(4, 3))
    bare = found.detach()
    assert found.total.requires_grad
    assert not bare.total.requires_grad
    assert not any(term.total.requires_grad for term in bare.terms.values())
    assert (float(bare), bare.count, bare.samples) == (float(found.detach()), found.count, found.samples)


def test_pythons_sum_merges_losses_and_numbers_are_none():
    objective = ts.Objective(mse=nn.MSELoss(), mae=nn.L1Loss())
    output, target = torch.arange(5.0), torch.ones(5)
    parts = [objective(output[:2], target[:2]), objective(output[2:], target[2:])]
    assert float(sum(parts)) == float(parts[0] + parts[1]) == float(objective(output, target))
    numbers: list[Any] = [1, 0.5, torch.ones(())]
    for number in numbers:
        with pytest.raises(TypeError, match="unsupported operand"):
            operator.add(parts[0], number)
