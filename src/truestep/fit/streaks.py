"""The steps of an epoch in a row, where nobody looks between two of them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from truestep.core.batch import Batch
from truestep.core.short import Short
from truestep.core.step import TrainStep
from truestep.data.batches import Source, TensorSource, slices

if TYPE_CHECKING:
    from truestep.core.rows import Rows
    from truestep.fit.compiled import Tiers
    from truestep.fit.loop import Loop


AT_A_TIME = 8
"""Steps as programs in a row where each is shown or recorded afterwards; steps as ever may take seconds each."""

WINDOW = TrainStep.window


class Eager(Short):
    """Takes the steps of a run as ever, operation by operation, and whole epochs of them in a row."""

    several = None
    steady = True

    def streak(self, batch: Batch) -> Short:
        """What takes batches in a row."""
        return self

    def rest(
        self, source: Source, epoch: int, start: int, add: Callable[[Rows], None], looked: bool = False
    ) -> Generator[Batch, None, int]:
        """See `Tiers.rest`."""
        assert isinstance(source, TensorSource)
        return in_a_row(self, source, epoch, start, looked, add)

    def refresh(self) -> None:
        """Nothing is taken for granted that somebody could have changed."""

    def close(self) -> None:
        """Nothing is held."""


def eager(loop: Loop) -> Eager | None:
    """Who takes the steps of a run that goes to no programs; None where they have to be taken one by one."""
    step, source = loop.step, loop.batches
    watched = type(step).window is not WINDOW  # `explain` takes the place of it, and a class of the user's may
    own = step.short and not watched and not step.metrics and not step.running and step.micro_batch is None
    alone = own and loop.plan.accumulate == 1 and loop.saver.asked is None and not step.schedule.between_steps
    resident = isinstance(source, TensorSource) and source.home == step.device
    return Eager(step) if alone and resident else None


def in_a_row(
    tiers: Tiers | Eager, source: TensorSource, epoch: int, start: int, looked: bool, add: Callable[[Rows], None]
) -> Generator[Batch, None, int]:
    """The batches of an epoch from number `start` on that have to be taken one by one; of the others `add` hears.

    Returns the number of the first that is left: it stops where compiled steps take over.
    """
    most = 1 if isinstance(tiers, Eager) else AT_A_TIME
    for data in source.blocks(epoch, start):
        batches, at = slices(data, source.batch_size), 0
        while at < len(batches):
            if tiers.several is not None:
                return start + at
            streak = tiers.streak(batches[at])
            asked = batches[at : at + most] if looked else batches[at:]
            rows = None
            if streak is not None:
                try:
                    streak.run(asked)
                finally:  # Ctrl-C may come in the midst
                    rows = streak.end()
                    if rows is not None:
                        add(rows)
                        at += rows.times
            if rows is None or rows.times < len(asked):
                yield batches[at]
                at += 1
            del asked
        start += at
        del data, batches  # or its memory could not be used again
    return start
