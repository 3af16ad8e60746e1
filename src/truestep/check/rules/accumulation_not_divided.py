"""Micro-batches are accumulated and their losses are not divided by their number.

What: several backward passes of the same loss over different batches add up before one step, each loss is a mean, and
nothing divides the sum of these means: not the loss, not the gradients.

Why: the gradient is as many times too large as there are micro-batches: so is the step, and clipping bites where it
should not.

Evidence: the passes of each window add to the same gradients, the root of each is a mean times one, and the step used
that sum. Where a program gathers the gradients of each pass itself, the sums of their elements add up to that of the
gradient that the step used.

False alarms: several losses of one batch are meant to be added: they come from other lines or share a graph. A sum
reduction, weights, a rate written as a quotient and gradients divided later are all no finding. Adam's update does not
depend on the size of the gradient: where it is not clipped, this is advice.

Mend: divide each loss by the number of micro-batches (of unequal ones, weight by their sizes).

Wrong:
    loss.backward()
    if (i + 1) % 4 == 0:
        optimizer.step()

Right:
    (loss / 4).backward()
    if (i + 1) % 4 == 0:
        optimizer.step()
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from truestep.check.changes import Clip, Step
from truestep.check.events import Batch, Forward
from truestep.check.finding import Finding, Level, Rule
from truestep.check.mends.updates import Divided
from truestep.check.rules import found
from truestep.check.rules._facts import Window, scale, stepping, windows
from truestep.check.rules._gathered import gathered
from truestep.check.trace import Trace

RULE = Rule("TS111", "accumulation_not_divided", "accumulated losses are not divided", "warning", "updates")
MENDING = Divided()
OFTEN = 3
SCALE_FREE = {"Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta", "RMSprop", "Rprop", "Adafactor"}
QUOTIENT = re.compile(r"\blr\s*=\s*[^,)]*/")


def look(trace: Trace) -> Iterator[Finding]:
    """Look at windows of several passes with one step."""
    known = trace.optimizers()
    for optimizer in stepping(trace, OFTEN):
        made = known[optimizer]
        near = [one for one in windows(trace, optimizer) if one.step and one.step.close and one.passes]
        near = [one for one in near if one.step and not one.step.closure]
        whole = [one for one in near if len(one.passes) > 1 and _added(trace, one) and _undivided(trace, one)]
        looked = len(near)
        if not whole:
            sums, looked = gathered(trace, optimizer)
            whole = [one for one in sums if _alike(trace, one) and _means(trace, one)]
        if len(whole) >= OFTEN and 2 * len(whole) >= looked and not QUOTIENT.search(made[0].site.text):
            yield _told(trace, made[0].kind, whole, looked)


def _told(trace: Trace, kind: str, whole: list[Window], looked: int) -> Finding:
    first = whole[0]
    event, k = first.passes[0], len(first.passes)
    clipped = any(_clips(trace, one) for one in whole)
    level: Level = "advice" if kind in SCALE_FREE and not clipped else "warning"
    moved = first.step.moved if first.step is not None else ()
    most = max(moved, key=lambda each: each.grad.norm if each.grad else 0.0)
    looks = {leaf.number: leaf.after for leaf in event.leaves if leaf.after is not None}
    looks |= {one.number: look for one, look in zip(moved, event.given, strict=False)}
    alone = looks.get(most.number)
    return found(
        RULE,
        event.site,
        f"the gradients of {k} mean losses are added up and not divided by {k}",
        f"{len(whole)} of {looked} steps used the sum of {k} such passes; for {trace.name(most.number)} one gave a "
        f"gradient of norm {alone.norm if alone else 0.0:.3g}, the first step used "
        f"{most.grad.norm if most.grad else 0.0:.3g}",
        f"the step is that of a rate {k} times as large"
        + (", and clipping bites earlier" if clipped else "")
        + (f" ({kind} cancels the size of the gradient)" if level == "advice" else ""),
        f"divide each loss by {k} before its backward pass (for unequal micro-batches weight by their sizes)",
        level,
    )


def _added(trace: Trace, one: Window) -> bool:
    """Whether these passes of one line, over different batches, add into the same gradients."""
    after: dict[int, int] = {}
    for event in one.passes:
        now = {leaf.number: leaf for leaf in event.leaves if leaf.after is not None}
        if after and any(
            n not in now or now[n].before is None or now[n].before.mark != mark  # pyright: ignore[reportOptionalMemberAccess]
            for n, mark in after.items()
        ):
            return False
        after = {number: leaf.after.mark for number, leaf in now.items() if leaf.after is not None}
    return _alike(trace, one)


def _alike(trace: Trace, one: Window) -> bool:
    """Whether these are passes of one line, over different batches."""
    first, last = one.passes[0], one.passes[-1]
    if any(event.site.place != first.site.place or event.kept or not event.close for event in one.passes):
        return False
    calls = Counter(
        call.module
        for call in trace.between(first.n, last.n, Forward)
        if call.depth == 0 and call.grad and call.inputs and call.inputs[0].shape and call.inputs[0].shape[0] > 1
    )
    begin = max((step.n for step in trace.of(Step) if step.n < first.n), default=0)
    batches = {event.loader for event in trace.between(begin, last.n, Batch)}
    return max(calls.values(), default=0) >= len(one.passes) - 1 and len(batches) <= 1


def _means(trace: Trace, one: Window) -> bool:
    """Whether each root is a plain mean."""
    for event in one.passes:
        told = scale(trace, event.roots[0], event.n) if len(event.roots) == 1 and not event.seeded else None
        if told is None or told.reduction != "mean" or abs(told.factor - 1) > 1e-9:
            return False
    return True


def _undivided(trace: Trace, one: Window) -> bool:
    """Whether each root is a plain mean, and the step used what the passes left (but for clipping)."""
    assert one.step is not None
    left = {leaf.number: leaf.after for leaf in one.passes[-1].leaves}
    pairs = [(left[each.number], each.grad) for each in one.step.moved if left.get(each.number) and each.grad]
    if not _means(trace, one) or not pairs or any(a is None or b is None for a, b in pairs):
        return False
    clips = _clips(trace, one)
    if not clips:
        return all(a == b for a, b in pairs)
    used, most = math.hypot(*(b.norm for _, b in pairs if b)), clips[-1].most
    return clips[-1].how == "value" or 0.99 * min(most, clips[-1].norm or 0.0) <= used <= 1.01 * most


def _clips(trace: Trace, one: Window) -> list[Clip]:
    assert one.step is not None
    return list(trace.between(one.passes[-1].n, one.step.n, Clip))
