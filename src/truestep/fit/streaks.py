"""The steps of an epoch in a row, where nobody looks between two of them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from truestep.core.batch import Batch
from truestep.core.rows import Rows
from truestep.data.batches import TensorSource

if TYPE_CHECKING:
    from truestep.fit.compiled import Tiers

AT_A_TIME = 8
"""Steps in a row where each is shown or recorded afterwards."""


def in_a_row(
    tiers: Tiers, source: TensorSource, epoch: int, start: int, looked: bool, add: Callable[[Rows], None]
) -> Generator[Batch, None, int]:
    """The batches of an epoch from number `start` on that have to be taken one by one; of the others `add` hears.

    Returns the number of the first that is left: it stops where compiled steps take over.
    """
    for batches in source.blocks(epoch, start):
        at = 0
        while at < len(batches):
            if tiers.several is not None:
                return start + at
            streak = tiers.streak(batches[at])
            asked = batches[at : at + AT_A_TIME] if looked else batches[at:]
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
        del batches  # or its memory could not be used again
    return start
