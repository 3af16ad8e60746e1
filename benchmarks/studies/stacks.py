"""The tiers of `ts.sweep`: stacked and run as it is, written down as a program, compiled."""

from typing import Any

import torch
from torch import Tensor

import truestep as ts
from studies.loops import Weights
from studies.study import Study
from truestep.sweep import grid
from truestep.sweep.chunks import groups, layouts
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
        request = Request(maker, variants, study.data, None, {}, plan, False, None, device, None)
        conductor = Conductor(request, None, False)
        (group,) = groups(maker, variants, study.batch_size)
        self.said: list[str] = []
        steps, compile = TIERS[tier]
        work, most, _ = conductor._work(group)
        self.stacker = Stacker(work, self.said.append, steps, compile)
        self.layouts = layouts(variants, most)

    def begin(self) -> Weights:
        """Make and stack the models anew; their weights."""
        self.trainers = [self.stacker.trainer(layout) for layout in self.layouts]
        return self._weights()

    def run(self) -> list[float]:
        self.begin()
        return self.train()

    def train(self) -> list[float]:
        """Train all variants; the last epoch's loss of each."""
        losses = []
        for trainer in self.trainers:
            trainer.programs.begin()
            losses += trainer.run(0, lambda epoch: None).train["loss"][-1].tolist()
        return losses

    def step(self, row: Tensor) -> Weights:
        """The weights of all variants after one more step on the samples `row` (orders, batch)."""
        return self.several(row.unsqueeze(0))

    def several(self, rows: Tensor) -> Weights:
        """The weights of all variants after more steps on the samples `rows` (steps, orders, batch)."""
        parts = rows.split([len(each.orders) for each in self.layouts], 1)
        with torch.no_grad():
            for trainer, own in zip(self.trainers, parts, strict=True):
                trainer.state, _ = trainer.programs.run("step", trainer.state, trainer.fixed, own.contiguous())
        return self._weights()

    def _weights(self) -> Weights:
        first = self.trainers[0].state["params"]
        return {name: torch.cat([each.state["params"][name] for each in self.trainers]) for name in first}


def swept(study: Study) -> Any:
    """The study as a user asks for it."""
    return ts.sweep(
        study.model, study.data, study.loss, torch.optim.SGD, grid=study.points, fixed=study.fixed, epochs=study.epochs,
        batch_size=study.batch_size, progress=False,
    )  # fmt: skip
