"""Where a run stands: two integers, and what the epoch has added up so far."""

from __future__ import annotations

import time

from truestep.fit.trained import Trained


class Position:
    """`batch` batches of the epoch `epoch` (from 1) are taken, in the update or the window; `found` is what they gave.

    `waited` counts the epochs since the best one, `began` is when the epoch did, less the time before an interruption.
    """

    def __init__(self) -> None:
        self.waited = 0
        self.start(1)

    def start(self, epoch: int) -> None:
        """Go to the start of an epoch."""
        self.epoch, self.batch, self.began = epoch, 0, time.perf_counter()
        self._found: Trained | None = None

    @property
    def found(self) -> Trained:
        """What the epoch has added up; made when somebody asks, which after the last epoch nobody does."""
        if self._found is None:
            self._found = Trained()
        return self._found

    @found.setter
    def found(self, found: Trained) -> None:
        self._found = found
