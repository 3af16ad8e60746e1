"""Every loss of torch.nn is a total and a count whose quotient is torch's own value, and both add over parts."""

import functools
import inspect
import math
from typing import Any

import pytest
import torch
import torch.nn.modules.loss as torch_losses
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

import truestep as ts
from laws.loss_cases import CASES, Case
from reference.losses import reference
from truestep.core.kinds import KINDS
from truestep.core.stock import FUNCTIONS

# The mean of KLDivLoss is what this suite asks for: torch's advice to take batchmean is no error here.
pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss")

# The targets of all others decide the count: these take everything from the model.
OUTPUTS_DECIDE = {nn.TripletMarginLoss, nn.TripletMarginWithDistanceLoss}
every_loss = pytest.mark.parametrize("loss", CASES, ids=lambda loss: loss.__name__)
CUTS = st.lists(st.integers(0, 9), max_size=4)


def torch_value(case: Case) -> Tensor:
    value = case.loss(*case.arguments)
    return value.mean() if case.loss.reduction == "none" else value


def same(a: Any, b: Any, rtol: float = 1e-12) -> bool:
    a, b = (torch.as_tensor(value, dtype=torch.float64) for value in (a, b))
    return torch.allclose(a, b, rtol=rtol, atol=rtol, equal_nan=True)


def gradients(value: Tensor, case: Case) -> list[Tensor | None]:
    given = [case.arguments[index] for index in case.outputs]
    return list(torch.autograd.grad(value, given, allow_unused=True)) if value.requires_grad else []


def test_every_loss_of_torch_with_a_reduction_is_covered():
    classes = {getattr(torch_losses, name) for name in torch_losses.__all__}
    reduced = {cls for cls in classes if "reduction" in inspect.signature(cls.__init__).parameters}
    assert reduced == set(CASES), "a loss that this suite does not know"
    assert all(any(parent in KINDS for parent in cls.__mro__) for cls in reduced)


@every_loss
@given(data=st.data())
def test_total_over_count_is_the_value_of_torch(loss: type[nn.Module], data: st.DataObject):
    case = data.draw(CASES[loss])
    found = ts.Objective(case.loss)(case.output, case.target)
    assert same(found.mean, torch_value(case))
    if case.loss.reduction == "sum":
        assert found.count == 1
        assert same(found.total, case.loss(*case.arguments))


@every_loss
@given(data=st.data())
def test_the_gradient_of_the_mean_is_that_of_torch(loss: type[nn.Module], data: st.DataObject):
    case = data.draw(CASES[loss])
    for index in case.outputs:
        case.arguments[index].requires_grad_()
    mine = gradients(ts.Objective(case.loss)(case.output, case.target).mean, case)
    theirs = gradients(torch_value(case), case)
    assert [a is None for a in mine] == [b is None for b in theirs]
    counted = float(ts.Objective(case.loss)(case.output, case.target).count) != 0
    assert all(same(a, b) for a, b in zip(mine, theirs, strict=True) if a is not None and counted)


@every_loss
@given(data=st.data(), cuts=CUTS)
def test_the_parts_of_a_batch_add_up_to_the_whole(loss: type[nn.Module], data: st.DataObject, cuts: list[int]):
    case = data.draw(CASES[loss].filter(lambda case: case.batched))
    objective = ts.Objective(case.loss)
    whole = objective(case.output, case.target)
    parts = [objective(part.output, part.target) for part in case.split(cuts)]
    merged = functools.reduce(lambda a, b: a + b, parts)
    assert same(merged.total, whole.total)
    assert same(merged.count, whole.count)
    assert same(merged.mean, whole.mean)
    assert merged.samples == whole.samples


@every_loss
@given(data=st.data(), cuts=CUTS)
def test_counts_are_known_before_the_outputs(loss: type[nn.Module], data: st.DataObject, cuts: list[int]):
    case = data.draw(CASES[loss])
    objective = ts.Objective(case.loss)
    parts = case.split(cuts) if case.batched else [case]
    (known,) = objective.known_counts([part.target for part in parts]).values()
    if loss in OUTPUTS_DECIDE and case.loss.reduction != "sum":
        assert known is None
    else:
        assert known is not None
        assert same(known, objective(case.output, case.target).count)


@every_loss
@given(data=st.data())
def test_total_and_count_are_those_of_the_textbook(loss: type[nn.Module], data: st.DataObject):
    case = data.draw(CASES[loss])
    found = ts.Objective(case.loss)(case.output, case.target)
    total, count = reference(case.loss, *case.arguments)
    assert same(found.total, total, rtol=1e-9)
    assert same(found.count, count)


def function_of(case: Case) -> Any:
    """The function of `torch.nn.functional` that means what the module means, its options as keywords."""
    function = next(f for f, cls in FUNCTIONS.items() if isinstance(case.loss, cls))
    left_out = {"input", "target", "size_average", "reduce"}
    names = [name for name in inspect.signature(function).parameters if name not in left_out]
    return functools.partial(function, **{name: getattr(case.loss, name) for name in names if hasattr(case.loss, name)})


@pytest.mark.parametrize("loss", [loss for loss in CASES if loss is not nn.LinearCrossEntropyLoss])
@given(data=st.data())
def test_a_function_means_what_its_module_means(loss: type[nn.Module], data: st.DataObject):
    case = data.draw(CASES[loss])
    function = function_of(case)
    assert torch.equal(torch.nan_to_num(function(*case.arguments)), torch.nan_to_num(case.loss(*case.arguments)))
    found, expected = (ts.Objective(given)(case.output, case.target) for given in (function, case.loss))
    assert same(found.total, expected.total, rtol=0)
    assert same(found.count, expected.count, rtol=0)
    assert found.reduction == expected.reduction


def test_every_function_of_torch_with_a_reduction_is_recognised():
    """A new one must be looked at: unknown, it would only be refused when split, but it could be exact."""
    known = {name for name, f in vars(F).items() if callable(f) and not isinstance(f, type) and f in FUNCTIONS}
    reduced = {
        name
        for name in dir(F)
        if not name.startswith("_") and inspect.isfunction(getattr(F, name))
        and "reduction" in inspect.signature(getattr(F, name)).parameters
    }  # fmt: skip
    assert reduced - known == {"linear_cross_entropy"}  # takes a weight matrix between output and target
    assert {FUNCTIONS[getattr(F, name)] for name in known} == set(KINDS) - {nn.LinearCrossEntropyLoss}


@pytest.mark.parametrize("classes", [2, 200])
@pytest.mark.parametrize("weighted", [False, True])
def test_labels_of_one_byte_count_as_torch_counts_them(classes: int, weighted: bool):
    labels = (torch.arange(7) * 29 % classes).to(torch.uint8)  # 156 is no ignore_index of -100
    labels[0] = classes - 44 if classes > 44 else 1
    weight = torch.linspace(0.1, 1.0, classes, dtype=torch.float64) if weighted else None
    loss, scores = nn.CrossEntropyLoss(weight), torch.randn(7, classes, dtype=torch.float64)
    assert same(ts.Objective(loss)(scores, labels).mean, loss(scores, labels))


def test_a_batch_in_which_everything_is_ignored_counts_nothing():
    found = ts.Objective(nn.CrossEntropyLoss())(torch.randn(3, 4), torch.full((3,), -100))
    assert (float(found.total), float(found.count)) == (0, 0)
    assert math.isnan(found.mean)
