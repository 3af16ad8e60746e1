"""Where a run stands: two integers, and what the epoch has added up so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from truestep.core.outcome import StepOut
from truestep.fit.evaluate import Sums

if TYPE_CHECKING:
    from truestep.core.compiled import Rows


@dataclass(slots=True)
class Trained:
    """What the updates of one epoch added up."""

    terms: Sums = field(default_factory=Sums)
    metrics: Sums = field(default_factory=Sums)
    steps: int = 0
    skipped: int = 0
    lr: float | None = None
    grad_norm: float = float("nan")

    def add(self, out: StepOut, sums: frozenset[str]) -> None:
        """Add one update."""
        self.steps += 1
        self.lr, self.grad_norm = out.lr, out.grad_norm
        self.terms.add_step(out, sums)
        for name, part in out.metrics.items():
            self.metrics.add_loss(name, part)

    def add_rows(self, rows: Rows, sums: frozenset[str]) -> None:
        """Add updates that were made in one call."""
        self.steps += rows.times
        self.lr, self.grad_norm = rows.lr, rows.norms[-1]
        for name, total, count in rows.terms():
            self.terms.add(name, total, count, name in sums)
        for name, total, count, summed in rows.metrics():
            self.metrics.add(name, total, count, summed)
        self.terms.samples += rows.found.samples * rows.times


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
