"""Batches that a program cuts of tensors by hand: how many rows were taken of how many, and the calls given them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from truestep.check.changes import Backward
from truestep.check.events import Batch, Forward, Op
from truestep.check.looks import Seen
from truestep.check.trace import Trace

CUTS = ("__getitem__", "split", "index_select")


def lengths(trace: Trace) -> dict[int, set[int]]:
    """By the size of a batch the lengths of the tensors that so many rows were taken of."""
    return trace.once(_lengths)


def _lengths(trace: Trace) -> dict[int, set[int]]:
    return _taken(op for op in trace.ops(*CUTS) if not any(each.dtype == "bool" for each in op.inputs[1:]))


def _evenly(trace: Trace) -> dict[int, set[int]]:
    """The same where rows are taken by slices that lie side by side, of the tensor or of an order: no groups of it."""
    return _taken(op for op in trace.ops(*CUTS) if _side_by_side(trace, op))


def _taken(ops: Iterator[Op]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for op in ops:
        if op.inputs and op.inputs[0].shape and op.out and op.out[0].shape:
            found.setdefault(op.out[0].shape[0], set()).add(op.inputs[0].shape[0])
    return found


def _side_by_side(trace: Trace, op: Op, deep: bool = True) -> bool:
    index = op.args[-1] if len(op.args) > 1 else None
    if op.name == "split":
        return isinstance(index, int)
    index = index[0] if isinstance(index, tuple) and index else index
    if isinstance(index, Seen) and index.dtype == "int64" and deep:
        made = trace.maker(index, op.n)
        return made is not None and made.name in CUTS and _side_by_side(trace, made, deep=False)
    if not isinstance(index, slice) or not isinstance(index.stop, int) or index.step not in (None, 1):
        return False
    start = index.start or 0
    return isinstance(start, int) and 0 <= start < index.stop and start % (index.stop - start) == 0


def rows(call: Forward) -> int:
    """How many samples a model was given."""
    return call.inputs[0].shape[0] if call.inputs and call.inputs[0].shape else 0


def models(trace: Trace) -> list[Forward]:
    """The calls by the user's code of modules that have parameters."""
    known = {number for number, facts in trace.modules.items() if facts.parameters}
    return [call for call in trace.of(Forward) if call.depth == 0 and call.module in known]


def stretches(trace: Trace) -> Iterator[list[Forward]]:
    """The calls of one model that were given a whole set, batch by batch, without a loader and without training.

    All batches are of one size, but for the last one, which is smaller: so it is told where the next set begins.
    """
    known = trace.once(_evenly)
    loaded, passes = [event.n for event in trace.of(Batch)], [event.n for event in trace.of(Backward)]
    held: list[Forward] = []
    for call in models(trace) if known else ():
        if held and not (
            _goes_on(held, call) and all(_none(places, held[-1].n, call.n) for places in (loaded, passes))
        ):
            held = []
        held.append(call)
        if rows(call) < rows(held[0]):
            if sum(map(rows, held)) in known.get(rows(held[0]), ()):
                yield held
            held = []


def _none(places: Sequence[int], first: int, last: int) -> bool:
    return bisect_right(places, first) == bisect_right(places, last)


def _goes_on(held: Sequence[Forward], call: Forward) -> bool:
    """Whether a call may be given the next batch of the same set."""
    first = held[0]
    return call.module == first.module and call.update == first.update and 0 < rows(call) <= rows(first)
