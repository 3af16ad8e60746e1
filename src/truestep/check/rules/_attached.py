"""What passes went through: the tensors behind their roots, and the calls that made them."""

from __future__ import annotations

from collections import Counter

from truestep.check.changes import Backward
from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.trace import Trace

Call = tuple[str, int, str, int]
"""A call by its file, line and name, and which one of its kind in an update it is."""


def differentiated(trace: Trace, seen: Seen, before: int) -> bool:
    """Whether a pass went through a tensor, or through what the same call gave at another update."""
    numbers, calls = trace.once(_attached)
    made = trace.maker(seen, before)
    return seen.number in numbers or (made is not None and trace.once(_calls)[made.n] in calls)


def _attached(trace: Trace) -> tuple[set[int], set[Call]]:
    behind = [op for event in trace.of(Backward) if event.close for op in trace.behind(event)]
    numbers = {root.number for event in trace.of(Backward) for root in event.roots}
    numbers |= {each.number for op in behind for each in op.inputs if each.needs_grad}
    known = trace.once(_calls)
    return numbers, {known[op.n] for op in behind}


def _calls(trace: Trace) -> dict[int, Call]:
    found: dict[int, Call] = {}
    count: Counter[tuple[str, int, str, int]] = Counter()
    for op in trace.of(Op):
        kind = (*op.site.place, op.name)
        count[*kind, op.update] += 1
        found[op.n] = (*kind, count[*kind, op.update])
    return found
