"""States that are loaded into a module and overwritten by the next load, before anybody used them."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from truestep.check.changes import Saved, StateLoaded, StateTaken, Step
from truestep.check.events import Forward, Op
from truestep.check.trace import Trace

OFTEN = 3
MOVES = ("add_", "sub_", "mul_", "lerp_", "addcmul_", "addcdiv_", "copy_", "data=")
SHOWN = ("data", "grad", "detach")


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


def unread_writes(trace: Trace) -> Iterator[tuple[Op, StateLoaded, int]]:
    """A line that moves weights by hand, the load that overwrites them unread each time, and how often it does."""
    gone: dict[tuple[str, int], list[tuple[Op, StateLoaded]]] = defaultdict(list)
    homes = set[int]()
    for event in trace.of(StateLoaded):
        facts = trace.modules.get(event.owner)
        if event.of == "module" and event.close and facts is not None and event.entries == event.matched:
            homes |= set(facts.storages.values())
            for op in _last_moves(trace, event, set(facts.storages.values())):
                gone[op.site.place].append((op, event))
    for place, pairs in gone.items():
        moves = [op for op in trace.ops(*MOVES) if op.site.place == place and op.inputs[0].storage in homes]
        times = len({event.n for _, event in pairs})
        if times >= OFTEN and len(moves) == len(pairs):
            yield *pairs[0], times


def _last_moves(trace: Trace, load: StateLoaded, own: set[int]) -> list[Op]:
    """The writes into a module's weights that no call sees before the load."""
    users = trace.of(Forward, StateTaken, Saved, Step, StateLoaded)
    place = bisect_left([event.n for event in users], load.n)
    found: dict[int, list[Op]] = defaultdict(list)
    for op in trace.between(users[place - 1].n if place else 0, load.n, Op):
        if op.site.place == load.site.place:  # where it copies entry by entry
            continue
        moved = op.inputs[0].storage if op.name in MOVES and op.inputs else 0
        for each in op.inputs:
            if each.storage in own and each.storage != moved and op.name not in SHOWN:
                found.pop(each.storage, None)
        if moved in own:
            found[moved].append(op)
    return [op for ops in found.values() for op in ops]


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
