"""What one step did, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

from truestep.core.loss import Loss


@dataclass(frozen=True, slots=True)
class StepOut:
    """What one step did, in plain numbers, over all micro-batches and ranks.

    `loss` is the objective on the whole batch before the update; `terms`, `totals`, `counts` are the unweighted mean,
    total and denominator of each term; `count` is that of the terms, or the samples where terms count differently;
    `sizes` what a sum would be divided by to make it a mean; `grad_norm` the 2-norm of the final gradient before
    clipping; `lr` the rate of this step (None for a hand-written updater). A skipped step left the weights untouched
    and says why in `reason`. `alone`: the terms that cannot be merged with those of other steps, and why.
    """

    loss: float
    count: float
    terms: dict[str, float]
    totals: dict[str, float]
    counts: dict[str, float]
    sizes: dict[str, float]
    metrics: dict[str, Loss]
    samples: int
    grad_norm: float
    lr: float | None
    alone: dict[str, str]
    skipped: bool = False
    reason: str = ""
