"""What a person would mistype gets a sentence with its mend, and not an error from deep inside."""

from typing import Any

import pytest
import torch
from torch import nn, optim

import truestep as ts

X, Y = torch.ones(4, 2), torch.zeros(4, 2)


def sgd(model: nn.Module, rate: float = 0.1) -> optim.Optimizer:
    return optim.SGD(model.parameters(), rate)


def step_of(loss: Any = None, **options: Any) -> ts.TrainStep:
    model = nn.Linear(2, 2)
    return ts.TrainStep(model, nn.MSELoss() if loss is None else loss, sgd(model), **options)


@pytest.mark.parametrize(
    "given, words",
    [
        (nn.MSELoss, r"MSELoss is a class: give MSELoss\(\)\.$"),
        ({"a": nn.MSELoss()}, r"is a dict: give ts\.Objective\(name=loss, \.\.\.\)\.$"),
        ((nn.MSELoss(), 0.5), r"is a tuple: a term with a weight is a pair \(weight, loss\)\.$"),
        ("mse", r"'mse' is not\.$"),
    ],
)
def test_what_is_no_loss_is_refused_with_what_was_meant(given: Any, words: str):
    for make in (ts.Objective, ts.Term, step_of):
        with pytest.raises(ts.ConfigError, match=rf"^a loss must be callable as loss\(output, target\), and .*{words}"):
            make(given)


@pytest.mark.parametrize("given", ["1.0", [1.0], 0, -1.0, float("nan")])
def test_a_clip_norm_that_is_no_number_above_0_is_refused(given: Any):
    with pytest.raises(ts.ConfigError, match=r"^clip_norm is the largest norm of the gradient, above 0, and not "):
        step_of(clip_norm=given)


def test_a_class_is_no_model():
    optimizer = sgd(nn.Linear(2, 2))
    with pytest.raises(
        ts.ConfigError, match=r"^the model must be a module, and Linear is a class: give Linear\(\.\.\.\)\.$"
    ):
        ts.TrainStep(nn.Linear, nn.MSELoss(), optimizer)


def test_a_batch_without_tensors_says_what_it_holds():
    with pytest.raises(
        ts.DataError, match=r"this one holds ndarray: torch\.as_tensor\(\.\.\.\) makes a tensor of it\.$"
    ):
        step_of()(X.numpy(), Y.numpy())


def test_a_schedule_of_another_optimizer_is_refused():
    """It would be stepped, and the rate of the run would never move."""
    model, schedulers = nn.Linear(2, 2), optim.lr_scheduler
    mine, other = sgd(model), sgd(model)
    words = r"^the schedule StepLR moves the rate of another optimizer: make it from this one\.$"
    for schedule in (schedulers.StepLR(other, 1), ts.per_epoch(schedulers.StepLR(other, 1))):
        with pytest.raises(ts.ConfigError, match=words):
            ts.TrainStep(model, nn.MSELoss(), mine, schedule=schedule)
    ours = schedulers.StepLR(mine, 1), schedulers.ReduceLROnPlateau(mine)
    chained = schedulers.SequentialLR(mine, [schedulers.ConstantLR(mine), schedulers.ExponentialLR(mine, 0.9)], [2])
    for schedule in (*ours, chained, schedulers.ChainedScheduler([ours[0]])):
        ts.TrainStep(model, nn.MSELoss(), mine, schedule=schedule)


def test_a_schedule_of_the_optimizer_inside_a_wrapper_is_taken():
    model = nn.Linear(2, 2)

    class Wrapper(optim.Optimizer):
        def __init__(self, inner: optim.Optimizer) -> None:
            super().__init__(inner.param_groups, {})
            self.inner, self.param_groups = inner, inner.param_groups

        def step(self, closure: Any = None) -> Any:
            self.inner.step()

    inner = sgd(model)
    step = ts.TrainStep(
        model, nn.MSELoss(), Wrapper(inner), schedule=optim.lr_scheduler.StepLR(inner, step_size=1, gamma=0.5)
    )
    assert [step(X, Y).lr for _ in range(3)] == [0.1, 0.05, 0.025]


def test_one_observer_without_a_list_is_refused():
    model = nn.Linear(2, 2)
    with pytest.raises(ts.ConfigError, match=r"^observers is a list of functions .*: observers=\[\.\.\.\]\.$"):
        ts.fit(model, (X, Y), nn.MSELoss(), sgd(model), epochs=1, observers=print)  # pyright: ignore[reportArgumentType]


def test_a_model_is_no_step():
    model: Any = nn.Linear(2, 2)
    words = r"^a step is a ts\.TrainStep\(model, objective, optimizer\), and Linear is none: make one\.$"
    for verb in (ts.explain, ts.prove, lambda *given: ts.compare(step_of(), *given)):
        with pytest.raises(ts.ConfigError, match=words):
            verb(model, X, Y)


@pytest.mark.parametrize("model, strength", [([torch.ones(2)], 0.1), (nn.Linear(2, 2), "0.1")])
def test_groups_of_what_is_no_module_or_no_number_are_refused(model: Any, strength: Any):
    with pytest.raises(ts.ConfigError, match=r"^(decay_groups groups|weight_decay is a strength)"):
        ts.decay_groups(model, strength)
