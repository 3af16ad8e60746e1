"""Gradients are clipped while the loss scale is still in them.

What: a loss is scaled up for half precision, its gradients are clipped, and only then is the factor taken out again: by
`scaler.step()` or `unscale_` behind the clipping, or by hand.

Why: the limit is compared with a norm that is as many times too large as the scale. After unscaling, the gradient is at
most limit / scale: the training all but stands still.

Evidence: the scale, the norm that the clipping found, its limit, and the gradient that the step used.

False alarms: a limit that was multiplied by the scale is right. A scaler that is off scales nothing.

Mend: `scaler.unscale_(optimizer)` before the clipping; by hand, divide the gradients first.

Wrong:
    scaler.scale(loss).backward()
    clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)

Right:
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from truestep.check.changes import Backward, Clip, Scaler, Step
from truestep.check.finding import Finding, Rule
from truestep.check.mends.updates import Unscaled
from truestep.check.rules import found
from truestep.check.rules._facts import scale, stepping
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS114", "clip_scaled", "gradients are clipped before they are unscaled", "error", "updates")
MENDING = Unscaled()
OFTEN, LEAST = 3, 4.0
WHY = "the limit is compared with a norm that is too large by the scale, so what is left is too small by it"
MEND = "take the scale out first: scaler.unscale_(optimizer), or divide the gradients, before the clipping"


def look(trace: Trace) -> Iterator[Finding]:
    """With a scaler by the order of calls and its factor, by hand by the norms."""
    for optimizer in stepping(trace, OFTEN):
        mine = trace.held(optimizer)
        for hits in (_by_scaler(trace, optimizer, mine), _by_hand(trace, optimizer, mine)):
            if len(hits) >= OFTEN:
                clip, factor = hits[0]
                norm = f"a norm of {clip.norm:.3g} was" if clip.norm is not None else "gradients were"
                yield found(
                    RULE,
                    clip.site,
                    f"the gradients are clipped here while they are still {factor:g} times too large",
                    f"{norm} clipped to {clip.most:g} and then divided by {factor:g}, which leaves at most "
                    f"{clip.most / factor:.3g}; so it was {plural(len(hits), 'time')}",
                    WHY,
                    MEND,
                )


def _by_scaler(trace: Trace, optimizer: int, mine: set[int]) -> list[tuple[Clip, float]]:
    hits: list[tuple[Clip, float]] = []
    pending: tuple[Clip, float] | None = None
    factor = 1.0
    for event in trace.of(Scaler, Clip):
        if isinstance(event, Clip):
            if mine & set(event.params) and factor >= LEAST and event.most < factor / 16:
                pending = (event, factor)
        elif event.how == "scale":
            factor = event.factor if event.enabled else 1.0
        elif event.optimizer == optimizer and event.how in ("unscale_", "step"):
            hits += [pending] if pending is not None else []
            factor, pending = 1.0, None
    return hits


def _by_hand(trace: Trace, optimizer: int, mine: set[int]) -> list[tuple[Clip, float]]:
    hits: list[tuple[Clip, float]] = []
    last: Backward | None = None
    clip: Clip | None = None
    for event in trace.of(Backward, Clip, Step):
        if isinstance(event, Backward):
            last, clip = event, None
        elif isinstance(event, Clip):
            clip = event if mine & set(event.params) and event.norm and event.how == "norm" else None
        elif event.optimizer == optimizer:
            if clip is not None and clip.norm and last is not None and last.close and last.roots and event.close:
                used = math.hypot(*(one.grad.norm for one in event.moved if one.grad and one.number in clip.params))
                told = scale(trace, last.roots[0], last.n)
                ratio = min(clip.norm, clip.most) / used if used else 0.0
                if told is not None and ratio >= LEAST and abs(ratio / told.factor - 1) < 0.01:
                    hits.append((clip, told.factor))
            clip = None
    return hits
