"""Which rows of which tensors stand in a tensor, followed through what was taken, joined and scaled row by row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.picks import PICKS, Places
from truestep.check.rules._chains import changed
from truestep.check.trace import Trace

ROW_BY_ROW = {
    "add", "sub", "mul", "div", "true_divide", "subtract", "multiply", "divide", "neg", "abs", "log", "log1p", "exp",
    "expm1", "sqrt", "pow", "square", "clamp", "clip", "nan_to_num", "to", "float", "double", "type", "clone", "detach",
    "contiguous", "view", "reshape", "flatten", "squeeze", "unsqueeze", "normalize",
}  # fmt: skip
"""Calls after which a row of the outcome is made of that row of what they were given, while there are as many rows."""
JOINS = {"cat", "concat", "concatenate", "vstack"}
PARTS = {"split", "chunk", "tensor_split", "split_with_sizes"}
DEEP, TENSOR = 30, 1 << 32


def origins(trace: Trace, seen: Seen, before: int, rows: Iterable[int], deep: int = DEEP) -> set[int] | None:
    """The rows that rows of a tensor were made of, each with its tensor in one number; None: it cannot be told."""
    op = trace.maker(seen, before)
    if not seen.shape or not deep:
        return None
    here = {seen.number * TENSOR + row for row in rows}
    made = next((out for out in op.out if out.number == seen.number), None) if op is not None else None
    if op is None or made is None:
        return here
    if changed(op, seen):
        return None
    parts = [each for each in op.inputs if each.shape]
    if op.name in JOINS and sum(part.shape[0] for part in parts) == made.shape[0]:
        return _of_parts(trace, op, parts, rows, deep)
    given = _carrier(op, made)
    places = None if given is None else _places(op, made, given)
    if given is None or places is None:  # made of something else: it is where the rows begin
        return here
    size = given.shape[0]
    try:
        below = [places[row] for row in rows]
    except IndexError:
        return None
    return origins(trace, given, op.n, [row + size * (row < 0) for row in below], deep - 1)


def _of_parts(trace: Trace, op: Op, parts: list[Seen], rows: Iterable[int], deep: int) -> set[int] | None:
    """Those of all parts that were joined below one another."""
    found, wanted = set[int](), sorted(rows)
    for part, (first, end) in zip(
        parts, pairwise(accumulate((part.shape[0] for part in parts), initial=0)), strict=True
    ):
        own = [row - first for row in wanted if first <= row < end]
        below = origins(trace, part, op.n, own, deep - 1) if own else set[int]()
        if below is None:
            return None
        found |= below
    return found


def _carrier(op: Op, made: Seen) -> Seen | None:
    """The tensor whose rows a call takes or changes."""
    if op.name in PICKS or op.name in PARTS:
        return op.inputs[0] if op.inputs and op.inputs[0].shape else None
    if op.name.rstrip("_") not in ROW_BY_ROW | JOINS:  # columns may be joined too
        return None
    return next((each for each in op.inputs if each.shape[:1] == made.shape[:1]), None)


def _places(op: Op, made: Seen, given: Seen) -> Sequence[int] | None:
    """Where the rows of what a call made stood in what it was given, in order."""
    if op.name in PICKS:
        return _picked(op, given)
    if op.name not in PARTS:
        return range(given.shape[0])
    if made.shape[1:] != given.shape[1:] or sum(out.shape[0] for out in op.out) != given.shape[0]:
        return None  # along another dimension
    first = sum(out.shape[0] for out in op.out[: [out.number for out in op.out].index(made.number)])
    return range(first, first + made.shape[0])


def _picked(op: Op, given: Seen) -> Sequence[int] | None:
    where = op.words.get("places")
    if isinstance(where, Places):
        return where.held
    index = op.args[1] if len(op.args) > 1 and op.name == "__getitem__" else None
    if isinstance(index, tuple) and not isinstance(index, Seen) and index:
        index = index[0]
    if not isinstance(index, slice) or any(type(end) not in (int, type(None)) for end in _ends(index)):
        return None
    return range(*index.indices(given.shape[0]))


def _ends(index: slice) -> tuple[object, object, object]:
    return index.start, index.stop, index.step
