"""Never more than one graph: what one micro-batch saved for its backward pass is gone before the next one starts."""

import weakref
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn, optim
from torch.autograd.graph import saved_tensors_hooks

import truestep as ts
from laws.step_cases import PROBLEMS, Problem, network


class Saved:
    """A tensor that a graph keeps for its backward pass."""

    alive: ClassVar["weakref.WeakSet[Saved]"] = weakref.WeakSet()

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.detach()  # a saved output would hold its own graph, and that graph this object
        Saved.alive.add(self)


def watched_step(problem: Problem, optimizer: Any, **options: Any) -> list[int]:
    """How many tensors other micro-batches still keep, each time that a forward pass starts."""
    model, kept = network(), []
    model.register_forward_pre_hook(lambda module, args: kept.append(len(Saved.alive)))
    step = ts.TrainStep(model, problem.objective, optimizer(model), micro_batch=2, **options)
    with saved_tensors_hooks(Saved, lambda saved: saved.tensor):
        step(*problem.batch(8, 0))
    assert len(Saved.alive) == 0
    return kept


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_one_graph_at_a_time(problem: Problem):
    assert watched_step(problem, lambda model: optim.SGD(model.parameters(), 0.1)) == [0, 0, 0, 0]


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_one_graph_at_a_time_for_a_hand_written_updater(problem: Problem):
    assert watched_step(problem, lambda model: lambda batch_size: None) == [0, 0, 0, 0]


def test_one_graph_at_a_time_beside_metrics_that_look_at_outputs():
    def metric(output: Tensor, target: Any) -> ts.Loss:
        return ts.Loss(output.square().sum(), output.numel())

    problem = PROBLEMS["elements and tokens"]
    kept = watched_step(problem, lambda model: optim.SGD(model.parameters(), 0.1), metrics={"square": metric})
    assert kept == [0, 0, 0, 0]


def test_a_count_that_hangs_on_the_graph_does_not_hold_it():
    """A count taken from the outputs is a number: no gradient flows through it, and no graph stays alive for it."""

    def confident(output: Tensor, target: Tensor) -> Tensor:
        return output.softmax(1).max(1).values.sum()

    term = ts.Term(lambda output, target: (output - target).square().mean(), reduction="mean", count=confident)
    problem = Problem(ts.Objective(term), nn.functional.mse_loss, PROBLEMS["mean"].target)
    assert watched_step(problem, lambda model: optim.SGD(model.parameters(), 0.1)) == [0, 0, 0, 0]


def test_a_watcher_that_holds_graphs_is_seen():
    """The test of the test: outputs kept by somebody else do show."""
    model, held = network(), []
    model.register_forward_hook(lambda module, args, output: held.append(output))
    with saved_tensors_hooks(Saved, lambda saved: saved.tensor):
        model(torch.randn(2, 3).double())
        assert len(Saved.alive) > 0
    held.clear()
    assert len(Saved.alive) == 0
