"""Totals that a program adds up as tensors, and what it divides them by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from truestep.check.events import Forward, Op
from truestep.check.looks import Seen
from truestep.check.rules._readings import kind_of
from truestep.check.trace import Trace

SUMS = ("add", "add_", "__radd__", "__iadd__")


@dataclass(frozen=True, slots=True)
class Total:
    """A division `at` of the sum of batches' numbers by `count`; each term as value and size, all of one `kind`."""

    at: Op
    count: float
    kind: str
    values: tuple[float, ...]
    sizes: tuple[int, ...]


def totals(trace: Trace) -> Iterator[Total]:
    """The sums over calls of a model that were divided by a number, and means of stacked numbers; none trained on."""
    roots = {root.number for event in trace.backwards() for root in event.roots}
    for op in trace.ops("div", "true_divide", "__truediv__", "div_", "__itruediv__", "mean"):
        if op.within or not op.inputs or not op.out or op.out[0].number in roots:
            continue
        terms, count = _divided(trace, op)
        told = [_told(trace, term, before) for term, before in terms]
        known = [each for each in told if each is not None]
        kinds = {(made.site.place, kind) for made, kind, _, _ in known}
        if len(known) < 2 or len(known) < len(told) or len(kinds) > 1:
            continue
        if _apart(trace, [made for made, _, _, _ in known]):
            values, sizes = tuple(each[2] for each in known), tuple(each[3] for each in known)
            yield Total(op, count, kinds.pop()[1], values, sizes)


def _divided(trace: Trace, op: Op) -> tuple[list[tuple[Seen, int]], float]:
    """What is divided, term by term, and by how much."""
    if op.name == "mean":
        stack = trace.maker(op.inputs[0], op.n)
        if stack is None or stack.name != "stack" or op.out[0].shape:
            return [], 0.0
        return [(each, stack.n) for each in stack.inputs], float(len(stack.inputs))
    count, (whole, *others) = op.arg(1, "other"), op.inputs
    if isinstance(count, bool) or not isinstance(count, int | float) or others or whole.shape:
        return [], 0.0
    return terms(trace, whole, op.n), float(count)


def terms(trace: Trace, tensor: Seen, before: int, most: int = 2000) -> list[tuple[Seen, int]]:
    """What a tensor is the sum of, the last term first, each with the event before which it was made."""
    found: list[tuple[Seen, int]] = []
    while len(found) < most:
        op = trace.maker(tensor, before)
        if op is None or op.name not in SUMS or not op.inputs:
            return found
        first, last = op.inputs[0], op.inputs[-1]
        if len(op.inputs) == 1 or last.number == first.number:
            return [*found, (first, op.n)]
        deeper = trace.maker(last, op.n)
        if deeper is not None and deeper.name in SUMS:  # the total stands on the right
            first, last = last, first
        found.append((last, op.n))
        tensor, before = first, op.n
        inner = trace.maker(tensor, before)
        if inner is None or inner.name not in SUMS:
            return found if inner is None or _nothing(inner) else [*found, (tensor, before)]
    return found


def _nothing(made: Op) -> bool:
    """Whether a total began as this zero."""
    return made.name in ("zeros", "new_zeros", "zeros_like") or (made.name == "tensor" and made.arg(0, "data") == 0)


def _told(trace: Trace, term: Seen, before: int) -> tuple[Op, str, float, int] | None:
    kind, size, _ = kind_of(trace, term, before)
    made = trace.maker(term, before)
    while made is not None and made.out and made.out[0].values is None and made.inputs:
        made = trace.maker(made.inputs[0], made.n)
    values = made.out[0].values if made is not None and made.out else None
    return None if not kind or made is None or values is None or made.out[0].shape else (made, kind, values.mean, size)


def _apart(trace: Trace, ops: list[Op]) -> bool:
    """Whether a call of a model lies between any two neighbours: the terms are batches, not heads of one call."""
    places = sorted(op.n for op in ops)
    calls = sorted(call.n for call in trace.of(Forward) if call.depth == 0)
    return all(any(first < call < last for call in calls) for first, last in pairwise(places))
