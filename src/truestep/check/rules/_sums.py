"""The terms that a loss is the sum of, and the weights that each of them trains."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from truestep.check.changes import Backward
from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.trace import Trace

SPLITS = {"add", "sub", "add_", "sub_", "__radd__"}
MOST = 300
OFTEN, LOOKED = 4, 12
Told = tuple[Op, frozenset[int]]
"""The call that cuts something off in a pass, and the parameters which then learn from another term alone."""


class Cut(NamedTuple):
    """Where something is cut off, how often it was, and the parameters for which it was so at each of these passes."""

    op: Op
    times: int
    numbers: frozenset[int]


def terms(trace: Trace, root: Seen, before: int, most: int = 12) -> Iterator[tuple[Seen, int]]:
    """The terms that a loss is the sum of, with their own factors."""
    waiting = [(root, before)]
    for _ in range(most):
        if not waiting:
            return
        seen, limit = waiting.pop(0)
        op = trace.maker(seen, limit)
        inner = [each for each in op.inputs if each.needs_grad] if op is not None else []
        if op is not None and ((op.name in SPLITS and len(inner) == 2) or (len(inner) == 1 and _passes(op))):
            waiting += [(each, op.n) for each in inner]
        else:
            yield seen, limit
    yield from waiting


def _passes(op: Op) -> bool:
    """Whether a call of one differentiated tensor only scales a sum, or averages it."""
    plain = len(op.inputs) == 1 and not op.inputs[0].leaf
    return plain and op.name in SPLITS | {"mul", "div", "neg", "mean", "sum"}


def weights(trace: Trace, term: Seen, before: int, most: int = MOST) -> set[int]:
    """The leaves that a gradient of this term reaches."""
    way = trace.back([term], before, most, along=lambda op, each: each.needs_grad)
    return {seen.number for seen, op in way if seen.leaf and seen.needs_grad and op is None}


def cuts(passes: Sequence[Backward], cut: Callable[[Backward], Told | None]) -> Iterator[Cut]:
    """The lines that cut something off often, in the first passes."""
    lines: dict[tuple[str, int], list[Told]] = defaultdict(list)
    for event in passes[:LOOKED]:
        told = cut(event)
        if told is not None:
            lines[told[0].site.place].append(told)
    for seen in lines.values():
        numbers = frozenset.intersection(*(each for _, each in seen))
        if len(seen) >= OFTEN and numbers:
            yield Cut(seen[0][0], len(seen), numbers)
