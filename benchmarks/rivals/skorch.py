"""skorch: gradient accumulation as its FAQ shows it; losses from its history."""

from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import EpochScoring
from skorch.helper import predefined_split
from torch import Tensor, nn

from rivals.problem import NotOffered, Outcome, Problem, by_hand_only_for


class Criterion(nn.Module):
    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem

    def forward(self, output: Any, target: Any) -> Tensor:
        return self.problem.loss(output, target)


class GradAccNet(NeuralNet):
    """The recipe of the FAQ, under "How do I use gradient accumulation?"."""

    acc_steps = 1

    def get_loss(self, *args: Any, **kwargs: Any) -> Tensor:
        return super().get_loss(*args, **kwargs) / self.acc_steps

    def train_step(self, batch: Any, **fit_params: Any) -> Any:
        number = len(self.history[-1, "batches"])
        step = self.train_step_single(batch, **fit_params)
        if number % self.acc_steps == 0:
            self.optimizer_.step()
            self.optimizer_.zero_grad()
        return step


def train(problem: Problem) -> Outcome:
    by_hand_only_for(problem, "valid_loss")
    if problem.ranks > 1:
        raise NotOffered("ranks only through Accelerate")
    net = (NeuralNet if problem.accumulate == 1 else GradAccNet)(
        problem.model,
        criterion=Criterion(problem),
        optimizer=torch.optim.SGD,
        lr=problem.lr,
        max_epochs=problem.epochs,
        batch_size=problem.micro,
        train_split=None if problem.valid is None else predefined_split(problem.valid),
        callbacks=[("whole", EpochScoring(_whole, name="whole"))] if problem.by_hand else None,
        verbose=0,
        **({} if problem.batches is None else {"iterator_train": lambda data, **_: problem.loader()}),
    )
    net.acc_steps = problem.accumulate
    net.fit(problem.data, y=None)
    problem.model.load_state_dict(net.module_.state_dict())
    last = net.history[-1]
    note = "EpochScoring over all predictions" if problem.by_hand else "net.history"
    note = "the recipe of its FAQ" if problem.accumulate > 1 else note
    return Outcome(last.get("train_loss"), last.get("whole", last.get("valid_loss")), note)


def _whole(net: NeuralNet, data: Any, y: Any = None) -> float:
    with torch.no_grad():
        output = torch.cat(list(net.forward_iter(data)))
    return float(net.criterion_(output, data.targets))
