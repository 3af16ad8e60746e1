"""What the updates of one epoch add up to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from truestep.core.outcome import StepOut
from truestep.fit.evaluate import Sums

if TYPE_CHECKING:
    from truestep.core.rows import Rows


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
        """Add updates that were made in one call, one after another."""
        times = rows.times
        self.steps += times
        self.lr, self.grad_norm = rows.lr, rows.norms[-1]
        for name, totals, counts in rows.terms():
            self.terms.add_each(name, totals, counts, name in sums)
        if rows.found.metrics:
            for name, totals, counts, summed in rows.metrics():
                self.metrics.add_each(name, totals, counts, summed)
        self.terms.samples += rows.found.samples * times
