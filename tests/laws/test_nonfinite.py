"""What is not finite is found before weights, optimizer state and running statistics move: they stay to the bit."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim
from torch.autograd import Function

import truestep as ts
from laws.step_cases import PROBLEMS, identical, network, snapshot
from truestep.core.errors import NonFiniteError

BAD = [float("nan"), float("inf"), -float("inf")]


def network_with_norm() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 5)).double()


def prepared(model: nn.Module, loss: Any = None, **options: Any) -> tuple[ts.TrainStep, optim.Optimizer]:
    """A step whose optimizer has a state already."""
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9)
    step = ts.TrainStep(model, loss or nn.MSELoss(), optimizer, **options)
    step(*PROBLEMS["mean"].batch(6, 0))
    return step, optimizer


class BadGradient(Function):
    """The identity, whose gradient has one entry that is not finite."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        bad = gradients[0].clone()
        bad.view(-1)[0] = float("nan")
        return bad


@pytest.mark.parametrize("policy", ["stop", "raise", "skip"])
@pytest.mark.parametrize("micro", [None, 2])
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("where", ["input", "target"])
def test_bad_data_moves_nothing(where: str, bad: float, micro: int | None, policy: str):
    model = network_with_norm()
    step, optimizer = prepared(model, micro_batch=micro, nonfinite=policy)
    x, y = PROBLEMS["mean"].batch(6, 1)
    (x if where == "input" else y)[4, 1] = bad
    before = snapshot(model, optimizer)
    if policy == "skip":
        out = step(x, y)
        assert out.skipped
        assert "step 2 skipped: the loss MSELoss is" in out.reason
    else:
        with pytest.raises(NonFiniteError, match=r"^step 2: the loss MSELoss is (nan|inf) and the gradient of 0\.w"):
            step(x, y)
    assert identical(before, snapshot(model, optimizer))
    assert not step(*PROBLEMS["mean"].batch(6, 2)).skipped


@pytest.mark.parametrize("micro", [None, 3])
@pytest.mark.parametrize("late", [False, True])
def test_one_bad_gradient_is_named(micro: int | None, late: bool):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5)).double()
    optimizer = optim.AdamW(model.parameters(), 0.1)
    loss = (lambda output, target: (output - target).square()) if late else nn.MSELoss()
    bad = False
    model[0].register_forward_hook(lambda module, args, output: BadGradient.apply(output) if bad else None)
    step = ts.TrainStep(model, loss, optimizer, micro_batch=micro)
    step(*PROBLEMS["mean"].batch(6, 0))
    before, bad = snapshot(model, optimizer), True
    with pytest.raises(NonFiniteError, match=r"^step 2: the gradient of 0\.weight is not finite in 3 of 12 entries; "):
        step(*PROBLEMS["mean"].batch(6, 1))
    assert identical(before, snapshot(model, optimizer))


def test_a_loss_that_is_not_finite_though_its_gradient_is():
    model, shift = network(), 0.0
    step, optimizer = prepared(model, ts.Objective(shifted=lambda output, target: (output - target) + shift))
    step(*PROBLEMS["mean"].batch(6, 0))
    before, shift = snapshot(model, optimizer), float("inf")
    with pytest.raises(NonFiniteError, match=r"^step 3: the loss shifted is inf; the weights are as they were"):
        step(*PROBLEMS["mean"].batch(6, 1))
    assert identical(before, snapshot(model, optimizer))


@pytest.mark.parametrize("clip_norm", [None, 1.0])
@pytest.mark.parametrize("micro", [None, 2])
def test_a_norm_that_overflows_is_no_reason_to_refuse(micro: int | None, clip_norm: float | None):
    """The square of 1e30 is no float32, 1e30 is one: its norm is taken again in float64."""
    model = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.5)
    step = ts.TrainStep(model, nn.L1Loss(), optim.SGD(model.parameters(), 1.0), micro_batch=micro, clip_norm=clip_norm)
    out = step(torch.full((4, 2), 1e30), torch.zeros(4, 1))
    assert out.grad_norm == pytest.approx(2**0.5 * 1e30, rel=1e-6)
    moved = 1e30 if clip_norm is None else 0.5**0.5
    assert torch.allclose(model.weight, torch.full((1, 2), 0.5 - moved), rtol=1e-6)


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
@pytest.mark.parametrize("policy", ["stop", "skip"])
@pytest.mark.parametrize("evaluation", [1, 2, 4])
def test_lbfgs_goes_back_when_a_later_evaluation_is_not_finite(evaluation: int, policy: str, search: str | None):
    model = network_with_norm()
    optimizer = optim.LBFGS(model.parameters(), 0.1, max_iter=6, line_search_fn=search)
    calls, limit = 0, 10**6

    def spoil(module: Any, args: Any, output: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return output * float("nan") if calls > limit else output

    model[2].register_forward_hook(spoil)
    step = ts.TrainStep(model, nn.MSELoss(), optimizer, nonfinite=policy)
    batch = PROBLEMS["mean"].batch(6, 0)
    step(*batch)
    before, limit = everything(model, optimizer), calls + evaluation - 1
    if policy == "skip":
        assert step(*batch).skipped
    else:
        with pytest.raises(NonFiniteError, match=r"^step 2: "):
            step(*batch)
    assert calls == limit + 1
    assert identical(before, everything(model, optimizer))
    limit = 10**6
    assert not step(*batch).skipped


def everything(model: nn.Module, optimizer: Any) -> list[Tensor]:
    """LBFGS keeps its history in lists."""
    found = snapshot(model)
    for value in optimizer.state_dict()["state"].get(0, {}).values():
        several = value if isinstance(value, list) else [value]
        found += [torch.as_tensor(float("nan") if one is None else one).nan_to_num().clone() for one in several]
    return found


def test_the_term_that_went_wrong_is_named_and_no_other():
    """A term that counted nothing has no mean, which is no fault of it."""
    model = network()
    objective = ts.Objective(tokens=ts.Term(nn.CrossEntropyLoss(), of=lambda o, y: (o, y[1])),
                             values=ts.Term(nn.MSELoss(), of=lambda o, y: (o, y[0])))  # fmt: skip
    step = ts.TrainStep(model, objective, optim.SGD(model.parameters(), 0.1))
    x, y = PROBLEMS["mean"].batch(4, 0)
    with pytest.raises(NonFiniteError) as found:
        step(x, (y * float("inf"), torch.full((4,), -100)))
    assert "the loss values is inf" in str(found.value)
    assert "tokens" not in str(found.value)
