"""Every optimizer of torch moves the weights as it does in a plain loop over whole batches."""

import copy
import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim
from torch.nn import functional as F

import truestep as ts
from laws.step_cases import PROBLEMS, close, identical, network, same_weights, snapshot, twin

OPTIMIZERS: dict[str, Any] = {
    "SGD": lambda p: optim.SGD(p, 0.05, momentum=0.9, dampening=0.1, weight_decay=0.01),
    "SGD plain": lambda p: optim.SGD(p, 0.05),
    "SGD nesterov": lambda p: optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
    "SGD upwards": lambda p: optim.SGD(p, 1e-4, maximize=True),
    "Adam": lambda p: optim.Adam(p, 0.01, amsgrad=True, weight_decay=0.01),
    "AdamW": lambda p: optim.AdamW(p, 0.01, weight_decay=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, 0.01, momentum=0.5, centered=True),
    "Adagrad": lambda p: optim.Adagrad(p, 0.05),
    "Adadelta": lambda p: optim.Adadelta(p, 1.0),
    "Adamax": lambda p: optim.Adamax(p, 0.01),
    "NAdam": lambda p: optim.NAdam(p, 0.01),
    "RAdam": lambda p: optim.RAdam(p, 0.01),
    "ASGD": lambda p: optim.ASGD(p, 0.01),
    "Rprop": lambda p: optim.Rprop(p, 0.01),
    "Adafactor": lambda p: optim.Adafactor(p, 0.01),
    "Muon": lambda p: optim.Muon([w for w in p if w.dim() == 2], 0.01),
    "LBFGS": lambda p: optim.LBFGS(p, 0.5, max_iter=4, history_size=3),
    "LBFGS strong_wolfe": lambda p: optim.LBFGS(p, 1.0, max_iter=4, line_search_fn="strong_wolfe"),
}
# Muon multiplies in bfloat16: a last bit of the gradient may become a last bit of that.
RTOL = {"Muon": 1e-2, "LBFGS": 1e-9, "LBFGS strong_wolfe": 1e-9}


def test_every_optimizer_of_torch_is_covered():
    classes = {name for name, cls in vars(optim).items() if inspect.isclass(cls) and issubclass(cls, optim.Optimizer)}
    assert classes - {"Optimizer", "SparseAdam"} <= {name.split()[0] for name in OPTIMIZERS}, "SparseAdam: see below"


def plain_step(model: nn.Module, optimizer: Any, value: Any, x: Tensor, y: Any) -> float:
    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = value(model(x), y)
        loss.backward()
        return loss

    return float(optimizer.step(closure).detach())


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("problem", ["tokens", "elements and tokens"])
def test_every_optimizer_moves_as_on_the_whole_batch(name: str, problem: str):
    """Step by step from the same state, so that rounding is measured and not its growth."""
    case = PROBLEMS[problem]
    model, reference = network(), network()
    mine, theirs = (OPTIMIZERS[name](list(one.parameters())) for one in (model, reference))
    step = ts.TrainStep(model, case.objective, mine, micro_batch=4)
    for seed in range(4):
        batch = case.batch(10, seed)
        before = snapshot(model)
        assert close(step(*batch).loss, plain_step(reference, theirs, case.value, *batch))
        assert not identical(before, snapshot(model))
        assert same_weights(model, reference, RTOL.get(name, 1e-12))
        model.load_state_dict(reference.state_dict())
        for optimizer in (mine, theirs):  # torch widens what it loads: both load, so that both go on in float64
            optimizer.load_state_dict(copy.deepcopy(theirs.state_dict()))


@pytest.mark.parametrize("micro", [None, 2])
@pytest.mark.parametrize("early", [True, False])
def test_sparse_gradients_are_exact_too(micro: int | None, early: bool):
    torch.manual_seed(0)
    model = nn.Embedding(6, 3, sparse=True).double()
    reference = twin(model)
    x, y = torch.tensor([0, 3, 3, 1, 0]), torch.randn(5, 3).double()
    theirs = optim.SparseAdam(list(reference.parameters()), 0.1)
    plain_step(reference, theirs, F.mse_loss, x, y)
    loss = nn.MSELoss() if early else lambda output, target: (output - target).square()
    step = ts.TrainStep(model, loss, optim.SparseAdam(list(model.parameters()), 0.1), micro_batch=micro)
    assert step(x, y).grad_norm > 0
    assert same_weights(model, reference)


@pytest.mark.parametrize("as_dict", [True, False])
def test_several_optimizers_move_several_parts(as_dict: bool):
    case = PROBLEMS["late beside early"]
    model, reference = network(), network()

    def optimizers(net: Any) -> list[optim.Optimizer]:
        return [optim.SGD(net[0].parameters(), 0.1, momentum=0.9), optim.AdamW(net[2].parameters(), 0.01)]

    several = optimizers(model)
    given = dict(zip("ab", several, strict=True)) if as_dict else several
    step = ts.TrainStep(model, case.objective, given, micro_batch=3)
    for seed in range(3):
        batch = case.batch(8, seed)
        theirs = optimizers(reference)
        for mine, other in zip(several, theirs, strict=True):
            other.load_state_dict(copy.deepcopy(mine.state_dict()))
        case.value(reference(batch[0]), batch[1]).backward()
        step(*batch)
        for other in theirs:
            other.step()
            other.zero_grad()
        assert same_weights(model, reference)
        reference.load_state_dict(model.state_dict())


@pytest.mark.parametrize("problem", ["mean", "elements of a function", "late beside early"])
def test_frozen_parameters_that_the_optimizer_holds_stay(problem: str):
    case = PROBLEMS[problem]
    model, reference = network(), network()
    for one in (model, reference):
        one[0].requires_grad_(False)
    frozen = snapshot(model[0])
    batch = case.batch(7, 0)
    plain_step(reference, optim.SGD(reference.parameters(), 0.1), case.value, *batch)
    ts.TrainStep(model, case.objective, optim.SGD(model.parameters(), 0.1), micro_batch=2)(*batch)
    assert identical(frozen, snapshot(model[0]))
    assert same_weights(model, reference)


@pytest.mark.parametrize("problem", ["mean", "elements of a function"])
def test_a_parameter_that_takes_no_part_is_left_alone(problem: str):
    """Without a gradient there is no decay and no momentum, as in a plain loop."""
    case = PROBLEMS[problem]
    model = network()
    model.register_parameter("unused", nn.Parameter(torch.ones(3).double()))
    step = ts.TrainStep(model, case.objective, optim.SGD(model.parameters(), 0.1, weight_decay=0.5), micro_batch=2)
    step(*case.batch(5, 0))
    assert torch.equal(model.unused, torch.ones(3).double())


def test_parameters_of_a_loss_are_trained_with_the_model():
    torch.manual_seed(0)
    model, loss = nn.Linear(3, 4).double(), nn.LinearCrossEntropyLoss(4, 5, dtype=torch.float64)
    reference, other = twin(model), copy.deepcopy(loss)
    x, y = torch.randn(7, 3).double(), torch.tensor([0, 1, -100, 3, 4, -100, 2])
    optimizer = optim.SGD([*model.parameters(), *loss.parameters()], 0.1)
    ts.TrainStep(model, loss, optimizer, micro_batch=2)(x, y)
    plain_step(reference, optim.SGD([*reference.parameters(), *other.parameters()], 0.1), other, x, y)
    assert same_weights(model, reference)
    assert same_weights(loss, other)


def test_a_function_with_given_params_is_a_model():
    w, b = (torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in ((2, 1), (1,)))
    x, y = torch.randn(6, 2).double(), torch.randn(6, 1).double()

    def updater(batch_size: int) -> None:
        for one in (w, b):
            one -= 0.1 * one.grad / batch_size

    ts.TrainStep(lambda inputs: inputs @ w + b, nn.MSELoss(), updater, micro_batch=4, params=[w, b])(x, y)
    expected = torch.autograd.functional.jacobian(lambda v: (x @ v - y).square().mean(), torch.zeros(2, 1).double())
    assert close(w.detach(), -0.1 * expected)


def test_a_schedule_moves_on_once_an_update_and_not_for_a_skipped_one():
    case = PROBLEMS["tokens"]
    model = network()
    optimizer = optim.SGD(model.parameters(), 1.0)
    step = ts.TrainStep(model, case.objective, optimizer, schedule=optim.lr_scheduler.ExponentialLR(optimizer, 0.5))
    x, y = case.batch(6, 0)
    rates = [step(x, target).lr for target in (y, torch.full_like(y, -100), y, y)]
    assert rates == [1.0, 0.5, 0.5, 0.25]
