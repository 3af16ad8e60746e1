"""Gradients of a loss that is a mean already, which an update by hand divides by the number of its samples."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from truestep.check.changes import Backward
from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.rules._chains import origin
from truestep.check.rules._facts import scale
from truestep.check.site import Site
from truestep.check.trace import Trace

LEAST, OFTEN = 4, 3
"""Fewer samples are no batch; and updates that have to show it."""
SCALES = {"mul", "div", "neg", "mul_", "div_", "clone", "detach", "data"}
TAKES = {"sub", "sub_", "add", "add_"}


def divided_again(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """The lines that do so, each with the message and the evidence."""
    lines: dict[tuple[str, int], dict[int, tuple[Op, int, tuple[int, ...]]]] = defaultdict(dict)
    passes = trace.of(Backward)
    places = [event.n for event in passes]
    for op in trace.ops("div", "div_"):
        number = op.arg(1, "other")
        leaf = _leaf(trace, op) if isinstance(number, int | float) and number >= LEAST else None
        before = bisect_left(places, op.n)
        event = passes[before - 1] if leaf is not None and before and _taken(trace, op) else None
        shape = () if event is None or leaf is None else _averaged(trace, event, leaf)
        if event is not None and shape and number in (shape[0], math.prod(shape)):
            lines[op.site.place].setdefault(event.n, (op, int(number), shape))
    for updates in lines.values():
        if len(updates) >= OFTEN:
            op, number, shape = next(iter(updates.values()))
            yield (
                op.site,
                f"the gradient of a mean is divided by its {number} terms once more",
                f"in {len(updates)} updates that were looked at the loss is the mean of a tensor of shape {shape}, and "
                f"its gradient is divided by {number} here before it is taken from the weight: the rate is {number} "
                "times smaller than it is written",
            )


def _leaf(trace: Trace, op: Op) -> int | None:
    """The weight whose gradient a call scales."""
    made = origin(trace, op.inputs[0], op.n, SCALES) if op.inputs else None
    return made.inputs[0].number if made is not None and made.name == "grad" and made.inputs else None


def _taken(trace: Trace, op: Op) -> bool:
    """Whether what a call gives is taken from something, perhaps after more scaling."""
    waiting: list[tuple[Seen, int]] = [(out, op.n) for out in op.out]
    for _ in range(6):
        if not waiting:
            return False
        seen, since = waiting.pop(0)
        for user in trace.users(seen, since)[:6]:
            if user.name in TAKES and len(user.inputs) == 2 and user.inputs[1].number == seen.number:
                return True
            if user.name in SCALES:
                waiting += [(out, user.n) for out in user.out]
    return False


def _averaged(trace: Trace, event: Backward, leaf: int) -> tuple[int, ...]:
    """The shape of what the loss is the mean of, where the gradient is that of this one pass."""
    if not event.close or len(event.roots) != 1:
        return ()
    mine = [each for each in event.leaves if each.number == leaf]
    if not mine or (mine[0].before is not None and mine[0].before.norm):
        return ()  # a sum of passes may be divided by their number
    how, made = scale(trace, event.roots[0], event.n), origin(trace, event.roots[0], event.n)
    whole = how is not None and how.reduction == "mean" and how.factor == 1
    return made.inputs[0].shape if whole and made is not None and made.inputs else ()
