"""What one step did, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from truestep.core.loss import Loss, value


@dataclass(frozen=True)
class StepOut:
    """What one step did, in plain numbers, over all micro-batches and ranks.

    `totals`, `counts`, `weights`: name -> the total, denominator and weight of each term; `sizes`: what a sum would be
    divided by to make it a mean; `samples`: rows; `grad_norm`: the 2-norm of the final gradient before clipping; `lr`:
    the rate of this step (None for a hand-written updater); `alone`: the terms that cannot be merged with those of
    other steps, and why. A skipped step left the weights untouched and says why in `reason`.
    """

    totals: Mapping[str, float]
    counts: Mapping[str, float]
    sizes: Mapping[str, float]
    weights: Mapping[str, float]
    metrics: Mapping[str, Loss]
    samples: int
    grad_norm: float
    lr: float | None
    alone: Mapping[str, str]
    skipped: bool = False
    reason: str = ""

    @property
    def terms(self) -> dict[str, float]:
        """The unweighted mean of each term, NaN where it counted nothing."""
        return {name: value(total, self.counts[name]) for name, total in self.totals.items()}

    @property
    def loss(self) -> float:
        """The objective on the whole batch before the update: `sum_k weight_k * total_k / count_k`."""
        live = [self.weights[name] * mean for name, mean in self.terms.items() if self.counts[name]]
        return sum(live) if live else float("nan")

    @property
    def count(self) -> float:
        """The denominator that the terms share, or the samples where they count differently."""
        different = set(self.counts.values())
        return float(self.samples) if len(different) > 1 else next(iter(different), 0.0)
