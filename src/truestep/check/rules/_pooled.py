"""Means over the steps of sequences that were filled up behind their ends, where the program knows the lengths."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from math import prod

from truestep.check.events import Batch, Op
from truestep.check.looks import Seen
from truestep.check.rules._filled import usual
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN, DEEP, SHARE, CLOSE = 3, 200, 0.1, 1e-4
"""Calls of a line, calls behind a mean, and the share of places that must be filled up."""
MASKING = {"masked_fill", "masked_fill_", "where", "mul", "mul_", "__setitem__", "index_put_", "masked_select"}
PACKED = {"_pad_packed_sequence", "_pack_padded_sequence", "pad_packed_sequence", "pack_padded_sequence"}


def pooled(trace: Trace) -> Iterator[tuple[Site, str]]:
    """Lines that average over all steps, with the numbers of the first call, and where the lengths are known from."""
    padded = {op.args[0]: op for op in trace.ops("padded") if usual(trace, op)}
    lines: dict[tuple[str, int], list[tuple[Site, str]]] = defaultdict(list)
    sound: set[tuple[str, int]] = set()
    for op in trace.ops("mean") if padded else ():
        if not (op.grad and op.out and op.inputs and op.inputs[0].needs_grad and op.within):
            continue
        filled = _behind(trace, op, padded)
        if filled is None or _rescaled(trace, op):
            sound.add(op.site.place)
            continue
        hidden, places = filled.args[3:5]
        known = _known(trace, op, filled)
        if known and hidden >= SHARE * places:
            told = f"in the first call {hidden} of {places} places were filled up, and the mean divides by all steps"
            lines[op.site.place].append((op.site, f"{told}; {known}"))
    for place, calls in lines.items():
        if len(calls) >= OFTEN and place not in sound:
            yield calls[0]


def _behind(trace: Trace, op: Op, padded: dict[int, Op]) -> Op | None:
    """The input that was filled up and has the steps which are averaged; None where a mask has a part in it."""
    shape, dim = op.inputs[0].shape, op.arg(1, "dim")
    dim = dim[0] if isinstance(dim, list | tuple) and len(dim) == 1 else dim
    if len(shape) != 3 or type(dim) is not int or dim % 3 == 0:
        return None
    steps, filled = (shape[0], shape[dim % 3]), None
    for seen, made in trace.back(op.inputs[:1], op.n, DEEP):
        one = padded.get(seen.number)
        filled = filled or (one if one is not None and one.args[1][:2] == steps else None)
        if made is not None and (made.name in PACKED or (made.name in MASKING and _masked(made, steps))):
            return None
    return filled


def _masked(made: Op, steps: tuple[int, int]) -> bool:
    """Whether one side says something of each place, and needs no gradient."""
    return any(not each.needs_grad and prod(each.shape) in (prod(steps), steps[1]) for each in made.inputs)


def _rescaled(trace: Trace, op: Op) -> bool:
    """Whether the mean is multiplied, or divided, by something else of each sequence."""
    users = [user for out in op.out for user in trace.users(out, op.n)]
    return any(user.name in ("mul", "div") and any(not each.needs_grad for each in user.inputs) for user in users)


def _known(trace: Trace, op: Op, filled: Op) -> str:
    """What the program has that holds the lengths of just these sequences, or a mask of their places."""
    (rows, steps), (hidden, places) = filled.args[1][:2], filled.args[3:5]
    batches = trace.of(Batch)
    last = bisect_left(batches, op.n, key=lambda each: each.n)
    handed = list(batches[last - 1].tensors) if last else []
    near = [each for made in trace.between(filled.n - 12, op.n, Op) for each in (*made.inputs, *made.out)]
    for each, where in (*((each, "its loader hands out") for each in handed), *((each, "it has") for each in near)):
        if _lengths(each, rows, steps, places - hidden):
            return f"{where} the lengths of the sequences"
        if _mask(each, rows, steps, hidden / places):
            return f"{where} a mask of the places"
    return ""


def _lengths(seen: Seen, rows: int, steps: int, held: int) -> bool:
    values = seen.values
    if values is None or seen.shape != (rows,) or not values.whole or seen.needs_grad:
        return False
    return values.low >= 1 and values.high <= steps and abs(values.mean * rows - held) < CLOSE * held


def _mask(seen: Seen, rows: int, steps: int, hidden: float) -> bool:
    values = seen.values
    if values is None or seen.shape != (rows, steps) or not values.whole or (values.low, values.high) != (0.0, 1.0):
        return False
    return min(abs(values.mean - hidden), abs(values.mean - 1 + hidden)) < CLOSE
