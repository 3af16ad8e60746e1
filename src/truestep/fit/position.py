"""Where a run stands: two integers, and what the epoch has added up so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from truestep.fit.trained import Trained


@dataclass(slots=True)
class Position:
    """`batch` batches of the epoch `epoch` (from 1) are taken, in the update or the window; `found` is what they gave.

    `waited` counts the epochs since the best one, `began` is when the epoch did, less the time before an interruption.
    """

    epoch: int = 1
    batch: int = 0
    waited: int = 0
    found: Trained = field(default_factory=Trained)
    began: float = field(default_factory=time.perf_counter)

    def next_epoch(self) -> None:
        """Go to the start of the next epoch."""
        self.epoch, self.batch, self.found, self.began = self.epoch + 1, 0, Trained(), time.perf_counter()
