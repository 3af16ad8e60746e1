"""Dropout by hand: a mask of numbers drawn above a threshold, times what is left of the units over their share."""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.trace import Trace

DRAWN = {"rand", "rand_like", "uniform_"}
ABOVE = {"gt": True, "ge": True, "lt": False, "le": False}
CASTS = {"float", "to", "type", "type_as", "double", "int", "byte"}
NEAR = 1e-4


def own_dropout(trace: Trace) -> dict[int, float]:
    """The products of activations and such a mask, by their place in the record, with the share that they drop."""
    found: dict[int, float] = {}
    for op in trace.ops("mul"):
        if len(op.inputs) == 2 and op.within:
            for mask in op.inputs:
                kept, scales = _mask(trace, mask, op.n)
                if 0 < kept < 1 and any(abs(each * kept - 1) < NEAR for each in (*scales, *_behind(trace, op))):
                    found[op.n] = 1 - kept
    return found


def _mask(trace: Trace, seen: Seen, before: int) -> tuple[float, list[float]]:
    """The share that a drawn mask keeps, 0 where there is none, and the numbers that it is multiplied by already."""
    scales: list[float] = []
    for _ in range(6):
        op = trace.maker(seen, before)
        if op is None or not op.inputs:
            break
        if op.name in ABOVE:
            level, drawn = op.arg(1, "other"), trace.maker(op.inputs[0], op.n)
            if drawn is None or drawn.name not in DRAWN or not isinstance(level, float):
                break
            return (1 - level if ABOVE[op.name] else level), scales
        scales += _scale(op)
        if op.name not in CASTS and not _scale(op):
            break
        seen, before = op.inputs[0], op.n
    return 0.0, []


def _behind(trace: Trace, op: Op) -> Iterator[float]:
    for out in op.out:
        for user in trace.users(out, op.n):
            yield from _scale(user)


def _scale(op: Op) -> list[float]:
    """The number that a call multiplies by."""
    number = op.arg(1, "other")
    if op.name not in ("mul", "div") or not isinstance(number, int | float) or not number:
        return []
    return [number if op.name == "mul" else 1 / number]
