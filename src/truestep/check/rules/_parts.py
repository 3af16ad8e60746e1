"""Batches that were cut from a tensor before the training, and that no window of accumulation ever takes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from truestep.check.events import Forward, Op
from truestep.check.rules._batches import split
from truestep.check.rules._facts import stepping, windows
from truestep.check.trace import Trace

CUTS = ("split", "chunk", "tensor_split", "unbind")
MOST = 32  # parts that are written down
WHOLE = 3


class Left(NamedTuple):
    """The call that cut, how many of its parts are used, how many are left at the end, and the passes of a window."""

    op: Op
    used: int
    left: int
    window: int


def left_over(trace: Trace) -> Iterator[Left]:
    """Cuts whose last parts nothing ever reads, while the others fill whole windows, again and again."""
    cuts = [op for op in trace.ops(*CUTS) if not op.within and 2 < len(op.out) < MOST and not op.out[0].needs_grad]
    k = _window(trace) if cuts else 0
    if k < 2:
        return
    fed = {each.number for call in split(trace)[0] for each in call.inputs}
    seen: dict[int, set[int]] = defaultdict(set)
    for event in trace.of(Op, Forward):
        for each in event.inputs if isinstance(event, Op) or event.depth == 0 else ():
            seen[each.number].add(event.update)
    for op in cuts:
        read = [len(seen[out.number]) for out in op.out]
        used = next((place for place, times in enumerate(read) if not times), len(read))
        left = len(read) - used
        trained = {out.number for out in op.out[:used]} <= fed
        if 0 < left <= k and used >= k and used % k == 0 and not any(read[used:]) and min(read[:used]) > 1 and trained:
            yield Left(op, used, left, k)


def _window(trace: Trace) -> int:
    """The passes for each step where they are always as many; 0 where they are not, or not for all optimizers."""
    sizes = Counter[int]()
    for optimizer in stepping(trace, WHOLE):
        sizes += Counter(len(one.passes) for one in windows(trace, optimizer) if one.step is not None and one.passes)
    return next(iter(sizes)) if len(sizes) == 1 else 0
