"""An optimizer that maximises a loss: what it trains gets worse from step to step."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

from truestep.check.changes import Step
from truestep.check.rules._facts import loaded, scale
from truestep.check.rules._pace import Pace
from truestep.check.site import Site
from truestep.check.trace import LOSSES, Trace

FEW, WORSE = 20, 1.2


def uphill(trace: Trace, pace: Pace) -> Iterator[tuple[Site, str, str]]:
    """The one optimizer of a run, where it goes up the slope of one of torch's losses, in weights from their start.

    Beside others it may be an adversary, and weights that were trained or loaded before may be meant to forget.
    """
    steps = [step for step in trace.of(Step) if not step.nested]
    if pace.made is None or len(pace.strides) < FEW or {step.optimizer for step in steps} != {pace.made.optimizer}:
        return
    groups = [group for event in trace.optimizers()[pace.made.optimizer] for group in event.groups]
    mine = trace.held(pace.made.optimizer)
    learned = [leaf for event in pace.passes for leaf in event.leaves]
    if not all(group.get("maximize") is True for group in groups) or mine & loaded(trace):
        return
    if not learned or not all(leaf.parameter and leaf.number in mine for leaf in learned):
        return
    scales = [scale(trace, event.roots[0], event.n) for event in pace.passes if len(event.roots) == 1]
    names = {"" if one is None or one.factor <= 0 else one.name for one in scales}
    third = len(pace.losses) // 3
    first, last = fmean(pace.losses[:third]), fmean(pace.losses[-third:])
    if len(scales) == len(pace.passes) and names <= LOSSES and 0 < WORSE * first < last:
        name = min(names)
        yield (
            pace.made.site,
            f"the optimizer has maximize=True, and what is differentiated is a loss: {name} grows with each step",
            f"{len(steps)} steps went up its slope, and it went from {first:.4g} to {last:.4g}",
        )
