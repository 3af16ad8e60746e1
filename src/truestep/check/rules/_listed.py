"""Lists that `random.shuffle` brings into another order, and the lists of labels that stood beside them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from truestep.check.events import Shuffled
from truestep.check.finding import Level
from truestep.check.site import Site
from truestep.check.trace import Trace

Told = tuple[Site, str, str, Level | None]


def twice(trace: Trace) -> Iterator[Told]:
    """A list, and the labels that stood beside it, each shuffled into an order of its own."""
    shuffled = [event for event in trace.of(Shuffled) if event.size >= 10 and event.order]
    for one, other in pairwise(shuffled):
        first, second = (one, other) if other.ordinal else (other, one)
        labels = {name for name, kinds, _ in first.beside if 1 < kinds <= max(2, first.size // 5)}
        left = {name for name, _, _ in second.beside}
        if first.ordinal or not second.ordinal or first.size != second.size or len(labels) != 1 or labels & left:
            continue
        places = {(each.site.file, each.site.function, each.site.callers, each.update) for each in (one, other)}
        if one.order != other.order and len(places) == 1:
            yield (
                other.site, f"two lists of {one.size} are shuffled, each into an order of its own",
                f"the other one in line {one.site.line}, where {labels.pop()} stood beside it; their orders differ",
                None,
            )  # fmt: skip
            return


def alone(trace: Trace) -> Iterator[Told]:
    """A list shuffled beside a list of labels that then becomes the targets in its old order."""
    shuffled = trace.of(Shuffled)
    for event in shuffled:
        if event.ordinal or event.size < 10:
            continue
        twice = [other for other in shuffled if other is not event and other.size == event.size]
        for name, kinds, head in event.beside:
            labels = 1 < kinds <= max(2, event.size // 5) and all(isinstance(each, int) for each in head)
            if not labels or twice:
                continue
            for op in trace.ops("tensor", "as_tensor", "LongTensor", "FloatTensor"):
                if op.n > event.n and op.args and op.args[0] == head and op.out[0].shape[:1] == (event.size,):
                    yield (
                        event.site, f"a list of {event.size} is shuffled, and {name} beside it is not",
                        f"{name} has {kinds} values and became a tensor of {event.size} in its old order in line "
                        f"{op.site.line}",
                        "warning",
                    )  # fmt: skip
                    return
