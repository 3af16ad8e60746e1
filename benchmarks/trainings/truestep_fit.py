"""`ts.fit` as it comes and in each of its tiers, everything on that is on by default."""

from functools import partial
from typing import Any

import truestep as ts
from trainings.workload import Training


def train(tier: Any, training: Training) -> None:
    ts.fit(
        training.model,
        training.data,
        training.loss,
        training.optimizer(),
        epochs=training.epochs,
        batch_size=training.batch,
        compile=tier,
        observers=[_Ends(training)],
    )


class _Ends:
    """An observer that asks for no event of single steps."""

    wants_steps = False

    def __init__(self, training: Training) -> None:
        self.training = training

    def __call__(self, event: Any) -> None:
        if isinstance(event, ts.events.EpochEnded):
            self.training.ended(self.training.weights)


auto, eager, traced, compiled = (partial(train, tier) for tier in ("auto", False, "traced", True))
