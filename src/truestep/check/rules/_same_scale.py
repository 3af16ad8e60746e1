"""Whether an evaluated part was scaled by the very numbers that scaled the training part, from a range like its own."""

from __future__ import annotations

from collections.abc import Callable

from truestep.check.events import Op
from truestep.check.looks import Seen, Values
from truestep.check.trace import Trace

SCALES = ("sub", "add", "div", "mul", "sub_", "add_", "div_", "mul_", "__rdiv__")
PICKS = ("__getitem__", "index_select")


def alike_before(
    trace: Trace, given: Seen, before: int, trained: Values, apart: Callable[[Values, Values], bool]
) -> bool:
    """Whether some other tensor had the same done to it and holds what was trained on; and both were alike before.

    A column that is nearly constant in the training part, as a unit that is off for its samples, has next to no
    deviation: what is divided by that may be of any size, though it was prepared as it should be.
    """
    way = _way(trace, given, before)
    own = {op.n for op in way}
    for op in trace.ops(way[0].name) if way else ():
        if op.n in own or _by(op) != _by(way[0]) or not op.out or not _holds(op.out[0].values, trained):
            continue
        other = [op, *_way(trace, op.inputs[0], op.n)]
        if [_by(each) for each in other] != [_by(each) for each in way]:
            continue
        mine, theirs = way[-1].inputs[0].values, other[-1].inputs[0].values
        if mine is not None and theirs is not None and not apart(theirs, mine):
            return True
    return False


def _way(trace: Trace, seen: Seen, before: int) -> list[Op]:
    """The sums and products by which a tensor was made, one after the other, the last one first."""
    found: list[Op] = []
    made = trace.maker(seen, before)
    while made is not None and made.inputs and (made.name in SCALES or made.name in PICKS):
        found += [made] if made.name in SCALES else []
        made = trace.maker(made.inputs[0], made.n)
    return found


def _by(op: Op) -> tuple[object, ...]:
    words = (*op.args[1:], *op.words.values())
    return op.name, op.inputs[0].shape[1:], *(each.number if isinstance(each, Seen) else str(each) for each in words)


def _holds(values: Values | None, trained: Values) -> bool:
    return values is not None and values.finite and values.low <= trained.low and trained.high <= values.high
