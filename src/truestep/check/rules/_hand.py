"""Updates by hand: the rate that they were made at, and the passes that they followed."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise

from truestep.check.changes import Backward
from truestep.check.looks import Digest
from truestep.check.trace import Trace

NOISE = 0.01
"""The part of the weights' motion that may be something else than the rate times the gradient."""


def lines(trace: Trace) -> list[list[Backward]]:
    """The passes seen closely, those of one line together."""
    found: dict[tuple[str, int], list[Backward]] = defaultdict(list)
    for event in trace.of(Backward):
        if event.close and not event.made and not event.nested and event.leaves:
            found[event.site.place].append(event)
    return list(found.values())


def gradients(event: Backward) -> list[Digest]:
    """The gradients that a pass left, or returned."""
    return list(event.given) or [leaf.after for leaf in event.leaves if leaf.after is not None]


def steepness(event: Backward) -> float:
    """The norm of the gradients over that of the weights."""
    weights = math.hypot(*(leaf.weight.norm for leaf in event.leaves if leaf.weight is not None))
    return math.hypot(*(each.norm for each in gradients(event))) / weights if weights else math.nan


def rate(passes: list[Backward]) -> float:
    """The rate of plain descent, by the sums of weights and gradients: each update moves one by so much of the other.

    0 where the weights went another way.
    """
    pairs = []
    for one, after in pairwise(passes):
        same = [leaf.shape for leaf in one.leaves] == [leaf.shape for leaf in after.leaves]
        if same and all(leaf.weight is not None for leaf in (*one.leaves, *after.leaves)):
            pairs.append((_total(one) - _total(after), sum(each.total for each in gradients(one))))
    square = sum(slope * slope for _, slope in pairs)
    moved = sum(change * change for change, _ in pairs)
    found = sum(change * slope for change, slope in pairs) / square if square else 0.0
    rest = sum((change - found * slope) ** 2 for change, slope in pairs)
    return found if rest < NOISE * moved else 0.0


def _total(event: Backward) -> float:
    return sum(leaf.weight.total for leaf in event.leaves if leaf.weight is not None)
