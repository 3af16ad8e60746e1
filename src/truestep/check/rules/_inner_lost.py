"""Inner updates that adapt nothing: the new weights of a task are bound to a name, while other updates move the old."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.changes import Backward
from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.rules._functional import COPIES, OFTEN, SUMS, Thrown, unread
from truestep.check.trace import Trace

DEEP = 6


def inner_lost(trace: Trace) -> Iterator[Thrown]:
    """Lines that make new values of tensors out of what `torch.autograd.grad` gave of these, all of them for nobody."""
    given = {number for event in trace.of(Backward) if event.how == "grad" for number in event.results}
    lines: dict[tuple[str, int], list[tuple[Op, Seen]]] = defaultdict(list)
    for op in trace.ops(*(SUMS - {"sub_", "add_"})) if given else ():
        old = _old(trace, op, given)
        if old is not None:
            lines[op.site.place].append((op, old))
    for hits in lines.values():
        tensors = {old.number for _, old in hits}
        if len(hits) >= OFTEN * len(tensors) and all(unread(trace, op) for op, _ in hits):
            yield Thrown(hits[0][0], len(hits), len(tensors))
            return


def _old(trace: Trace, op: Op, given: set[int]) -> Seen | None:
    """The tensor that a call adds a step along its gradient to."""
    if len(op.inputs) < 2 or not op.out:
        return None
    for old, step in (op.inputs[:2], op.inputs[1::-1]):
        if old.shape != op.out[0].shape or old.shape != step.shape or not old.needs_grad or old.number in given:
            continue
        way = trace.back([step], op.n, DEEP, along=lambda made, each: made.name in COPIES | {"mul", "neg", "div"})
        if any(seen.number in given for seen, _ in way):
            return old
    return None
