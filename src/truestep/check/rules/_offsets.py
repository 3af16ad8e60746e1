"""Items that a data set could still have made: each takes rows at the same offsets, and the next one would find its."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

from truestep.check.events import LoaderMade, Op
from truestep.check.finding import Level
from truestep.check.rules._batches import drawn
from truestep.check.site import Site
from truestep.check.trace import Trace

FEW, LEAST, SMALL = 2, 8, 0.01
BYTES = {"float64": 8, "int64": 8, "float32": 4, "int32": 4, "float16": 2, "int16": 2, "uint8": 1, "bool": 1}
Told = tuple[Site, str, str, Level]


class Taken(NamedTuple):
    """What a call took of something stored, in rows or in bytes, and how much there is of it in all."""

    first: int
    last: int
    whole: int
    op: Op


def spare(trace: Trace) -> Iterator[Told]:
    """The data sets whose whole passes leave out the last rows of what they store, though items of them would fit."""
    said: set[int] = set()
    for one in drawn(trace):
        made = one.what.loader
        items = [index for batch in one.what.batches for index in batch.index or () if isinstance(index, int)]
        if made is None or made.size is None or made.base in said or made.chosen is not None or not one.what.whole:
            continue
        if made.size < LEAST or sorted(items) != list(range(made.size)):
            continue
        kept = stored(trace, one.what.start.n, one.last)
        left = {number: _left(held, items) for number, held in kept.items()}
        if left and len(set(left.values())) == 1 and (more := left.popitem()[1]):
            last = next(iter(kept.values()))
            if not any(_taken(trace, held) for held in kept.values()):
                said.add(made.base)
                yield _told(last[0], made, more)


def _told(taken: Taken, made: LoaderMade, left: int) -> Told:
    return (
        taken.op.site,
        f"the last {'item' if left == 1 else f'{left} items'} of a data set can be in no batch",
        f"len() is {made.size}, and a whole pass took the rows of items 0 to {(made.size or 0) - 1}, each at the same "
        f"distance from the one before; item {made.size} would still find its own, and nothing takes them",
        "warning" if left > SMALL * (made.size or 0) else "advice",
    )


def stored(trace: Trace, first: int, last: int) -> dict[int, list[Taken]]:
    """By what is stored, a tensor or the memory of an array, all that a pass took of it."""
    found: dict[int, list[Taken]] = {}
    for op in trace.between(first, last, Op):
        if op.name == "from_numpy" and op.out and op.out[0].dtype in BYTES:
            base, start, whole = op.words["memory"]
            size = prod(op.out[0].shape) * BYTES[op.out[0].dtype]
            if size < whole:
                found.setdefault(base, []).append(Taken(start, start + size, whole, op))
        elif op.name == "__getitem__" and op.inputs and op.inputs[0].shape and len(op.args) == 2 and not op.within:
            span, made = _span(op), trace.maker(op.inputs[0], op.n)
            if span is not None and (made is None or made.n < first):
                found.setdefault(op.inputs[0].number, []).append(Taken(*span, op.inputs[0].shape[0], op))
    return found


def _span(op: Op) -> tuple[int, int] | None:
    index, rows = op.args[1], op.inputs[0].shape[0]
    if type(index) is int and index >= 0:
        return index, index + 1
    if not isinstance(index, slice) or index.step not in (None, 1):
        return None
    ends = (index.start or 0, index.stop)
    return (ends[0], min(ends[1], rows)) if all(type(end) is int and end >= 0 for end in ends) else None


def _left(held: list[Taken], items: list[int]) -> int | None:
    """How many more items would find theirs; None where items do not take theirs at the same distances."""
    per, rest = divmod(len(held), len(items))
    if rest or not per:
        return None
    spans = {item: held[place * per : (place + 1) * per] for place, item in enumerate(items)}
    step = spans[1][0].first - spans[0][0].first
    offsets = {
        tuple((each.first - item * step, each.last - item * step) for each in own) for item, own in spans.items()
    }
    if step < 1 or len(offsets) != 1:
        return None
    end = max(each.last for each in held)
    left = (held[0].whole - end) // step
    return left if left <= FEW else None


def _taken(trace: Trace, held: list[Taken]) -> bool:
    return held[0].op.name != "from_numpy" and touched(trace, held, max(each.last for each in held))


def touched(trace: Trace, held: list[Taken], end: int) -> bool:
    """Whether anything else may take what lies beyond `end`."""
    if held[0].op.name == "from_numpy":
        base = held[0].op.words["memory"][0]
        others = (op for op in trace.ops("from_numpy") if op.words["memory"][0] == base and op.out)
        return any(op.words["memory"][1] + _bytes(op) > end for op in others)
    users = (user for user in trace.users(held[0].op.inputs[0]) if user.n > held[0].op.n)
    spans = (_span(user) if user.name == "__getitem__" and len(user.args) == 2 else None for user in users)
    return any(span is None or span[1] > end for span in spans)


def _bytes(op: Op) -> int:
    return prod(op.out[0].shape) * BYTES.get(op.out[0].dtype, 1)
