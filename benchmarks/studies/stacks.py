"""The tiers of `ts.sweep`: stacked and run as it is, written down as a program, compiled."""

from typing import Any

import torch
from torch import Tensor

import truestep as ts
from studies.loops import Weights
from studies.study import Study
from truestep.sweep import grid
from truestep.sweep.chunks import Layout, groups
from truestep.sweep.conduct import Conductor, Request
from truestep.sweep.found import Schedule
from truestep.sweep.settings import Maker
from truestep.sweep.work import Stacker

TIERS = {"eager": (0, False), "traced": (10**9, False), "compiled": (10**9, True)}
"""How many steps a tier is told to expect, and whether it compiles."""


class Stacked:
    """A tier, with one chunk of all variants of a study."""

    def __init__(self, study: Study, tier: str) -> None:
        self.study = study
        variants = grid.variants(study.points, study.fixed, None, (), None)
        maker = Maker(study.model, torch.optim.SGD, ts.Objective(study.loss))
        plan, device = Schedule(study.epochs, study.batch_size, 0), torch.device("cpu")
        request = Request(maker, variants, study.data, None, {}, plan, False, len(variants), device, None)
        conductor = Conductor(request, None, False)
        (group,) = groups(maker, variants, study.batch_size)
        self.said: list[str] = []
        steps, compile = TIERS[tier]
        self.stacker = Stacker(conductor._work(group)[0], self.said.append, steps, compile)
        self.layout = Layout(tuple(variants), tuple(study.seeds))

    def begin(self) -> Weights:
        """Make and stack the models anew; their weights."""
        self.trainer = self.stacker.trainer(self.layout)
        return self.trainer.state["params"]

    def run(self) -> list[float]:
        self.begin()
        return self.train()

    def train(self) -> list[float]:
        """Train all variants; the last epoch's loss of each."""
        chunk = self.trainer.run(0, lambda epoch: None)
        return chunk.train["loss"][-1].tolist()

    def step(self, row: Tensor) -> Weights:
        """The weights of all variants after one more step on the samples `row` (orders, batch)."""
        with torch.no_grad():
            state, _ = self.trainer.programs("step", self.trainer.state, self.trainer.fixed, row)
        self.trainer.state = state
        return state["params"]


def swept(study: Study) -> Any:
    """The study as a user asks for it."""
    return ts.sweep(
        study.model, study.data, study.loss, torch.optim.SGD, grid=study.points, fixed=study.fixed, epochs=study.epochs,
        batch_size=study.batch_size, progress=False,
    )  # fmt: skip
