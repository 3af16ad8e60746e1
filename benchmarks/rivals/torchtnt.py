"""torchtnt: `AutoUnit(gradient_accumulation_steps=...)`; figures are the user's own."""

from typing import Any

import torch
from torch import Tensor, nn
from torchtnt.framework.auto_unit import AutoUnit
from torchtnt.framework.train import train as run

from rivals.problem import NotOffered, Outcome, Problem


class Unit(AutoUnit[Any]):
    def __init__(self, problem: Problem) -> None:
        super().__init__(
            module=problem.model,
            device=torch.device("cpu"),
            gradient_accumulation_steps=problem.accumulate,
            strategy="ddp" if problem.ranks > 1 else None,
        )
        self.problem = problem

    def compute_loss(self, state: Any, data: Any) -> tuple[Tensor, Any]:
        output = self.module(data[0])
        return self.problem.loss(output, data[1]), output

    def configure_optimizers_and_lr_scheduler(self, module: nn.Module) -> tuple[Any, None]:
        return torch.optim.SGD(module.parameters(), lr=self.problem.lr), None


def train(problem: Problem) -> Outcome:
    if problem.wants != "update":
        raise NotOffered("reports no loss of its own")
    if problem.by_hand:
        raise NotOffered("no hook for a count")
    if problem.resample:
        raise NotOffered("brings no sampler: torch's DistributedSampler is the user's")
    if problem.ranks > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo")
    run(Unit(problem), problem.loader(), max_epochs=problem.epochs)
    return Outcome(note="AutoUnit(gradient_accumulation_steps=...)")
