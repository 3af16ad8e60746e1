"""Steps that an optimizer makes inside a pass, from a hook of each gradient, which it never clears."""

from __future__ import annotations

from collections import defaultdict

from truestep.check.changes import Backward, Step
from truestep.check.trace import Trace


def stepped_inside(trace: Trace) -> dict[int, list[tuple[Backward, float, float]]]:
    """The passes that added to what a step inside the pass before had used, with the norms before and after.

    A pass is written down when it is over, behind the steps that were made in it: these used the gradient that it left.
    """
    used: dict[int, int] = {}  # parameter -> the bits of the gradient that a step since the last pass used
    left: dict[int, int] = {}  # those of the gradient that the last pass left, where a step inside it used it
    found: dict[int, list[tuple[Backward, float, float]]] = defaultdict(list)
    for event in trace.of(Backward, Step):
        if isinstance(event, Step):
            used |= {one.number: one.grad.mark for one in event.moved if one.grad is not None and one.change > 0}
        elif event.how == "backward" and not event.nested:
            now: dict[int, int] = {}
            for leaf in event.leaves:
                before, after = leaf.before, leaf.after
                if after is None or used.get(leaf.number) != after.mark or after == before:
                    continue
                now[leaf.number] = after.mark
                if before is not None and before.norm and left.get(leaf.number) == before.mark:
                    found[leaf.number].append((event, before.norm, after.norm))
            left, used = now, {}
    return found
