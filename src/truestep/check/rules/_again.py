"""Backward passes through results that earlier updates have used already."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.changes import Backward, Step
from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.trace import Trace

OFTEN, MOST = 3, 60
SUMS = {"add", "add_", "__add__", "__radd__", "__iadd__", "sum", "mean", "stack", "cat"}
SCALES = {"mul", "div"}


def again(trace: Trace) -> Iterator[tuple[list[Backward], int]]:
    """The passes of a line whose root is a sum with a term of a root before the last step; the last one's such terms.

    A term is a result with a graph that a root was added up of, or that root itself. Both updates are of one optimizer:
    a term that two of them share may be differentiated for each.
    """
    spent: dict[int, set[int]] = defaultdict(set)  # a term -> the optimizers that made a step behind a pass of it
    waiting: list[tuple[Backward, set[int]]] = []
    stepped, moved = False, set[int]()  # whether steps came behind the last pass, and whose
    lines: dict[tuple[str, int], list[tuple[Backward, int]]] = {}
    for event in trace.of(Backward, Step):
        if isinstance(event, Step):
            for one, own in waiting if not event.nested and not (stepped and event.optimizer in moved) else ():
                used = sum(event.optimizer in spent[each] for each in own)
                if used:
                    lines.setdefault(one.site.place, []).append((one, used))
            for _, own in waiting:
                for each in own:
                    spent[each].add(event.optimizer)
            moved = {event.optimizer, *(moved if stepped else ())}
            stepped = True
        elif event.how == "backward" and not event.nested:
            waiting, stepped = [] if stepped else waiting, False
            terms = (
                {each for root in event.roots for each in _terms(trace, root, event.n)} if event.close else set[int]()
            )
            waiting.append((event, terms))
    for passes in lines.values():
        if len(passes) >= OFTEN:
            yield [event for event, _ in passes], passes[-1][1]


def _terms(trace: Trace, root: Seen, before: int) -> set[int]:
    def along(op: Op, each: Seen) -> bool:
        alone = op.name in SCALES and len(op.inputs) == 1
        return each.needs_grad and not each.leaf and (op.name in SUMS or alone)

    return {each.number for each, _ in trace.back([root], before, MOST, along)}
