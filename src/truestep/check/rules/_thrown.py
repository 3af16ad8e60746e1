"""Losses that a line makes for every batch, and of which only the last before each update is differentiated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from truestep.check.changes import Backward
from truestep.check.events import Number, Op
from truestep.check.trace import Trace

LEAST, TIMES, OFTEN = 20, 3, 3
"""Losses that nothing uses, how many of them for each that is differentiated, and the passes."""


class Thrown(NamedTuple):
    """The call that made the first of them, how many there were, and the passes that went back from this line."""

    op: Op
    unused: int
    passes: int


def thrown(trace: Trace) -> Iterator[Thrown]:
    """Lines whose losses with a graph are mostly read by nobody: no call, no number, no backward pass."""
    roots: dict[int, int] = {}
    makers: dict[tuple[str, int, str], set[int]] = defaultdict(set)
    for event in trace.of(Backward):
        for root in event.roots if not event.nested else ():
            made = trace.maker(root, event.n)
            if made is not None:
                roots[root.number] = event.n
                makers[*made.site.place, made.name].add(event.n)
    read = {number.of.number for number in trace.of(Number)}
    for (file, line, name), passes in makers.items():
        made = [op for op in trace.ops(name) if op.site.place == (file, line) and op.out and op.out[0].needs_grad]
        single = all(op.out[0].shape == made[0].out[0].shape for op in made)
        unused = [
            op for op in made
            if op.out[0].number not in roots and op.out[0].number not in read and not trace.users(op.out[0], op.n)
        ]  # fmt: skip
        if single and len(unused) + len(passes) == len(made) and len(passes) >= OFTEN:
            last = [op for op in made if op.out[0].number in roots]
            if len(unused) >= max(LEAST, TIMES * len(passes)) and _between(unused, last):
                yield Thrown(unused[0], len(unused), len(passes))


def _between(unused: list[Op], last: list[Op]) -> bool:
    """Whether such losses stand before each one that is differentiated, since the one before."""
    ends = sorted(op.n for op in last)
    starts = [0, *ends[:-1]]
    return all(any(start < op.n < end for op in unused) for start, end in zip(starts, ends, strict=True))
