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
from truestep.check.trace import LOSSES, Trace

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
    passes: list[Backward] = []
    clip: Clip | None = None
    for event in trace.of(Backward, Clip, Step):
        if isinstance(event, Backward):
            clip = None
            passes.append(event)
        elif isinstance(event, Clip):
            copied = not mine & trace.trained  # what is stepped are copies of what is differentiated
            clip = event if event.norm and event.how == "norm" and (copied or mine & set(event.params)) else None
        elif event.optimizer == optimizer:
            if clip is not None and clip.norm and passes and event.close:
                own = [one for one in event.moved if one.number in clip.params] or event.moved
                used = math.hypot(*(one.grad.norm for one in own if one.grad))
                ratio = min(clip.norm, clip.most) / used if used else 0.0
                factors = [each * size for each in _factors(trace, passes[-1]) for size in {1, len(passes)}]
                if ratio >= LEAST and any(abs(ratio / each - 1) < 0.01 for each in factors):
                    hits.append((clip, ratio))
            clip, passes = None, []
    return hits


def _factors(trace: Trace, event: Backward) -> list[float]:
    """What a loss was multiplied by before its pass: as the plain numbers on the way tell it, and as its values do."""
    if not event.close or len(event.roots) != 1:
        return []
    root = event.roots[0]
    told = scale(trace, root, event.n)
    known = [told.factor] if told is not None else []
    loss = next((op for op in trace.chain(root, event.n) if op.name in LOSSES | {"mean", "sum"}), None)
    value = loss.out[0].values if loss is not None and loss.out else None
    if value is not None and value.mean and root.values is not None:
        known.append(root.values.mean / value.mean)
    return [each for each in known if each >= LEAST]
