"""Weights that the program itself writes into while it trains, as an average of another model's weights is kept."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from truestep.check.changes import StateLoaded
from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.rules._guards import guards
from truestep.check.trace import Trace

MOST, LISTED = 0.5, 64
"""An average takes in all weights; a few that are written into may be clamped, tied or masked. So many tensors of
a list are written down.
"""


class _Write(NamedTuple):
    """Memory that a call of the user's wrote into, after so many updates."""

    n: int
    update: int
    storages: frozenset[int]


def written(trace: Trace, memory: frozenset[int], first: int, last: int) -> int:
    """After how many updates between two events most of some weights were written into, as far as looks tell."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    for write in trace.once(_writes):
        if first < write.n < last:
            found[write.update] |= write.storages & memory
    return sum(len(storages) > MOST * min(len(memory), LISTED) for storages in found.values())


def _writes(trace: Trace) -> list[_Write]:
    """Where something is written in place once training began, but not by a module's own forward.

    Where a best value is compared, writing keeps the best weights, and where a state is loaded it brings them back.
    """
    loads = {event.site.place for event in trace.of(StateLoaded)}
    ops = [op for op in trace.of(Op) if op.update and not op.module and _in_place(op.name)]
    ops = [op for op in ops if loads.isdisjoint((op.site.place, *op.site.callers))]
    places = guards(trace) if ops else []
    return [
        _Write(op.n, op.update, frozenset(each.storage for each in _targets(op)) - {0})
        for op in ops if not any(guard.inside(op) for guard in places)
    ]  # fmt: skip


def _in_place(name: str) -> bool:
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def _targets(op: Op) -> list[Seen]:
    """What a call writes into: its first argument, or all tensors where that is a list."""
    first = op.args[0] if op.args else None
    listed = (first,) if isinstance(first, Seen) or not isinstance(first, tuple) else first
    return [each for each in listed if isinstance(each, Seen)]
