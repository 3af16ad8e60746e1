"""States that are loaded into a module and overwritten by the next load, before anybody used them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from truestep.check.changes import Saved, StateLoaded, StateTaken, Step
from truestep.check.events import Forward, Op
from truestep.check.trace import Trace

OFTEN = 3


def overwritten(trace: Trace) -> Iterator[tuple[StateLoaded, StateLoaded, int]]:
    """The first load, the one that takes its place, and how often the two lines did this: each time they were run."""
    loads = [event for event in trace.of(StateLoaded) if event.of == "module"]
    met: dict[tuple[object, ...], tuple[StateLoaded, StateLoaded]] = {}
    times: Counter[tuple[object, ...]] = Counter()
    for owner in dict.fromkeys(event.owner for event in loads):
        for one, other in pairwise([event for event in loads if event.owner == owner]):
            place = owner, one.site.place, other.site.place
            if _lost(trace, one, other):
                met.setdefault(place, (one, other))
                times[place] += 1
    for place, (one, other) in met.items():
        runs = sum(event.close and (event.owner, event.site.place) == (one.owner, one.site.place) for event in loads)
        if times[place] >= OFTEN and times[place] == runs and one.site.place != other.site.place:
            yield one, other, runs


def _lost(trace: Trace, one: StateLoaded, other: StateLoaded) -> bool:
    """Whether all that the first load brought was other weights, and is gone with the second, unread."""
    whole = other.entries == other.matched and one.matched and one.weights != other.weights
    if not whole or not one.close or not other.close or one.update != other.update or one.same:
        return False
    facts = trace.modules.get(one.owner)
    place = other.site.place  # where it copies entry by entry
    own = set(facts.storages.values()) if facts is not None else set[int]()
    return bool(own) and not any(
        any(seen.storage in own for seen in event.inputs) and (event.name, event.site.place) != ("copy_", place)
        if isinstance(event, Op) else True
        for event in trace.between(one.n, other.n, Forward, StateTaken, Saved, Step, Op)
    )  # fmt: skip
