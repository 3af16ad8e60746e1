"""What drops in plain functions and in methods beside `forward`: no model is called around it that would have a mode.

It drops in training, with a gradient, and in evaluation without one, on what trained weights made, and the result is
read as numbers. So it is with functions that are told no mode, and with layers that are in train mode.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import NamedTuple

from truestep.check.looks import Seen
from truestep.check.rules._batches import readings
from truestep.check.rules._chains import reaches
from truestep.check.rules._facts import moments
from truestep.check.site import Site
from truestep.check.trace import Trace

MOST = 60


class Drop(NamedTuple):
    """A call that drops, from `began` to `n`; calls with one `key` are the same line, or the same layer.

    `alone`: no model's call is around it.
    """

    began: int
    n: int
    site: Site
    key: Hashable
    given: Seen
    out: tuple[Seen, ...]
    grad: bool
    alone: bool


def outside(trace: Trace, drops: Iterable[Drop]) -> Iterator[list[Drop]]:
    """Those of the calls that stand in an evaluation, by line or layer."""
    drops = list(drops)
    training = {drop.key for drop in drops if drop.grad and any(each.needs_grad for each in drop.out)}
    trained, read, when = trace.trained, trace.once(readings), moments(trace)
    found: dict[Hashable, list[tuple[Drop, frozenset[int]]]] = defaultdict(list)
    for drop in drops:
        if not drop.alone or drop.grad or drop.key not in training:
            continue
        if read.keys().isdisjoint(reaches(trace, drop.out, drop.n)[1]):
            continue
        data = _data(trace, drop, trained, when)
        if data is not None:
            found[drop.key].append((drop, data))
    for calls in found.values():
        again = Counter((when(drop.n), data) for drop, data in calls)
        if max(again.values()) == 1:  # several passes over the same data are meant to differ
            yield [drop for drop, _ in calls]


def _data(trace: Trace, drop: Drop, trained: set[int], when: Callable[[int], object]) -> frozenset[int] | None:
    """The tensors from before that trained weights were asked about here; None where no such weight was asked."""
    data, asked = set[int](), False
    for seen, made in trace.back([drop.given], drop.began, MOST, along=lambda _, each: each.number not in trained):
        if made is None or when(made.n) != when(drop.n):
            data.add(seen.number)
        else:
            asked = asked or any(each.number in trained for each in made.inputs)
    return frozenset(data) if asked else None
