"""Groups of an optimizer whose rate is next to nothing beside that of another group."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean

from truestep.check.changes import Moved
from truestep.check.rules._facts import loaded
from truestep.check.rules._pace import Pace
from truestep.check.site import Site
from truestep.check.trace import Trace

FEW, APART, WHOLE, STEEP = 20, 1e-5, 3e-3, 1e-3
"""Steps; a rate over the largest one; what all steps change of the weights; what the gradients come to of these."""


def slow_groups(trace: Trace, pace: Pace) -> Iterator[tuple[Site, str, str]]:
    """Such groups of weights from their start, at one rate all the time, that do have a gradient to speak of."""
    steps = [stride.update.step for stride in pace.strides if stride.update.step is not None]
    if pace.made is None or len(steps) < FEW or len(pace.made.groups) < 2 or len({step.rates for step in steps}) > 1:
        return
    before = loaded(trace)
    for place, group in enumerate(pace.made.groups):
        mine, own, top = set(group["params"]), steps[0].rates[place], max(steps[0].rates)
        moves = [[one for one in step.moved if one.number in mine] for step in steps]
        if not 0 < own < APART * top or not all(moves) or mine & before:
            continue
        norms = [_norm(moved) for moved in moves]
        if not min(norms):
            continue
        most = max(math.hypot(*(one.change for one in moved)) / norm for moved, norm in zip(moves, norms, strict=True))
        grads = ([one.grad.norm for one in moved if one.grad is not None] for moved in moves)
        slope = fmean(math.hypot(*grad) / norm for grad, norm in zip(grads, norms, strict=True))
        if most * len(steps) < WHOLE and slope > STEEP:
            yield (
                pace.made.site,
                f"the rate {own:g} of group {place} is far too small: its weights do not move",
                f"{len(steps)} updates looked at changed them by at most {100 * most:.2g} % of their norm each, while "
                f"their gradients came to {100 * slope:.3g} % of it; the largest rate is {top:g}",
            )


def _norm(moved: list[Moved]) -> float:
    return math.hypot(*(one.before.norm for one in moved if one.before is not None))
