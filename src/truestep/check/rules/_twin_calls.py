"""Two views that a program makes itself, each with draws of its own, and hands to one model: the same to the bit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from truestep.check.changes import Step
from truestep.check.events import Forward, Op, Seeded
from truestep.check.looks import Seen
from truestep.check.mode import DRAWS
from truestep.check.rules._built_anew import builders
from truestep.check.rules._chains import reaches
from truestep.check.rules._twins import JOINS, LEAST, Told, model_draws
from truestep.check.site import Site
from truestep.check.trace import Trace


class Twins(NamedTuple):
    """Two views of one update, with the call that was given the first, and that which was given the second."""

    one: Seen
    other: Seen
    first: Forward
    second: Forward


def twin_calls(trace: Trace) -> Iterator[Told]:
    """Models whose two views of a batch are equal in all updates seen closely, though something is drawn for each.

    Data that are looked up twice are equal as well, and may be meant so: what was drawn must have come twice.
    """
    for module, updates in _given(trace).items():
        pairs = [_pair(trace, calls) for calls in updates.values()]
        twins = [each for each in pairs if each is not None]
        if len(twins) < LEAST or len(twins) < len(pairs) or not _together(trace, twins[0]):
            continue
        drawn = [_drawn_twice(trace, each) for each in twins]
        site = drawn[0]
        if site is None or None in drawn or model_draws(trace, twins[0].first):
            continue
        yield (
            site, "the two views of each sample are one and the same",
            f"in all {len(twins)} updates looked at, {trace.name(module)} was trained on two tensors of shape "
            f"{twins[0].one.shape} with the same rows, bit for bit, and this line draws for one what it draws for the "
            "other",
        )  # fmt: skip
        return


def _given(trace: Trace) -> dict[int, dict[int, list[Forward]]]:
    """The calls of one tensor that trained a module, by the update that they led to, where there may be two views."""
    found: dict[int, dict[int, list[Forward]]] = defaultdict(lambda: defaultdict(list))
    joined = {out.number for op in trace.ops(*JOINS) if len(op.inputs) == 2 for out in op.out}
    for event in trace.of(Forward):
        if event.depth == 0 and event.grad and event.close and len(event.inputs) == 1:
            found[event.module][event.update].append(event)
    several = {
        module: {update: calls for update, calls in updates.items()
                 if len(calls) > 1 or calls[0].inputs[0].number in joined}
        for module, updates in found.items()
    }  # fmt: skip
    return {module: updates for module, updates in several.items() if len(updates) >= LEAST}


def _pair(trace: Trace, calls: list[Forward]) -> Twins | None:
    """The two views of one update: those of two calls, or those that were joined for one."""
    if len(calls) == 2:
        one, other = (call.inputs[0] for call in calls)
        alike = one.rows == other.rows and calls[0].training == calls[1].training
        return Twins(one, other, *calls) if alike and _apart(one, other) else None
    if len(calls) > 2:
        return None
    whole = calls[0].inputs[0]
    join, half = trace.maker(whole, calls[0].began), len(whole.rows) // 2
    if join is None or len(join.inputs) != 2 or half < 2 or whole.rows[:half] != whole.rows[half:]:
        return None
    one, other = (each._replace(rows=whole.rows[:half]) for each in join.inputs)
    return Twins(one, other, calls[0], calls[0]) if one.shape[0] == half and _apart(one, other) else None


def _apart(one: Seen, other: Seen) -> bool:
    """Whether these are two tensors of data, of several rows; one that needs a gradient is made for it."""
    plain = one.dtype.startswith("float") and len(one.shape) > 1 and not (one.needs_grad or other.needs_grad)
    return plain and one.shape == other.shape and one.storage != other.storage and len(set(one.rows)) > 1


def _together(trace: Trace, twins: Twins) -> bool:
    """Whether what the model said of both went into one loss."""
    first, second = (reaches(trace, call.outputs, call.n)[1] for call in (twins.first, twins.second))
    return any(root.number in first & second for event in trace.backwards() for root in event.roots)


def _drawn_twice(trace: Trace, twins: Twins) -> Site | None:
    """The line that drew for one view what it drew for the other, or that built a generator for each."""
    one = trace.maker(twins.one, twins.first.began)
    other = trace.maker(twins.other, twins.second.began)
    if one is None or other is None or not one.n < other.n:
        return None
    start = max((step.n for step in trace.of(Step) if step.n < one.n), default=0)
    before = set[tuple[object, ...] | None]()
    for event in trace.between(start, other.n, Op, Seeded):
        key = _key(event)
        if key is not None and key in before:
            return event.site
        before.add(key)
    further = (twins.first.site, twins.second.site)
    anew = builders([one.site], further) & builders([other.site], further)
    return min(anew, default=None)


def _key(event: Op | Seeded) -> tuple[object, ...] | None:
    """What is the same when a line draws again what it drew: numbers, a seed."""
    if isinstance(event, Seeded):
        return None if event.value is None else (*event.site.place, event.who, event.value)
    rows = event.out[0].rows if event.name in DRAWS and event.out else ()
    return (*event.site.place, event.out[0].shape, rows) if rows else None
