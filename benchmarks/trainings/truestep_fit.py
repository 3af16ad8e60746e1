"""`ts.fit` as it comes and in each of its tiers, everything on that is on by default, and `TrainStep`."""

from functools import partial
from typing import Any

import truestep as ts
from trainings.loops import slices
from trainings.workload import Training


def train(tier: Any, training: Training) -> None:
    _fit(training, compile=tier, observers=[_Ends(training)])


def as_it_comes(training: Training) -> None:
    """Without anybody who would hear that an epoch has ended."""
    _fit(training)


def _fit(training: Training, **options: Any) -> None:
    model, data, loss, optimizer = training.model, training.data, training.loss, training.optimizer()
    ts.fit(model, data, loss, optimizer, epochs=training.epochs, batch_size=training.batch, **options)


class _Ends:
    """An observer that asks for no event of single steps."""

    wants_steps = False

    def __init__(self, training: Training) -> None:
        self.training = training

    def __call__(self, event: Any) -> None:
        if isinstance(event, ts.events.EpochEnded):
            self.training.ended(self.training.weights)


def traced(training: Training) -> None:
    """Steps as programs without a compiler, which `fit` goes over to by itself: `TrainStep(compile=True)`."""
    step = ts.TrainStep(training.model, training.loss, training.optimizer(), compile=True)
    for _ in range(training.epochs):
        total = 0.0
        for x, y in slices(training.data, training.batch):
            out = step(x, y)
            total += out.loss * out.samples
        training.ended(training.weights)


auto, exact, eager, compiled = (partial(train, tier) for tier in ("auto", "exact", False, True))
