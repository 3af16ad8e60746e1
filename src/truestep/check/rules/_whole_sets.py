"""The sizes of data sets of which loaders draw parts that were shared out, as `random_split` does."""

from __future__ import annotations

from itertools import combinations

from truestep.check.rules._batches import drawn
from truestep.check.trace import Trace

Part = frozenset[int]


def whole_sets(trace: Trace) -> set[int]:
    """How many items the parts have that one data set was shared out into, some for training and some for evaluation.

    Parts that overlap are folds, and of parts that are all trained on, or none of them, each may be a client's: their
    totals may well be divided by the size of all.
    """
    parts: dict[int, dict[Part, bool]] = {}
    for one in drawn(trace):
        made = one.what.loader
        if made is not None and made.chosen:
            held, part = parts.setdefault(made.base, {}), frozenset(made.chosen)
            held[part] = held.get(part, False) or one.trains
    sizes: set[int] = set()
    for held in parts.values():
        total = sum(map(len, held))
        apart = not any(one & other for one, other in combinations(held, 2))
        if apart and len(set(held.values())) > 1 and total == 1 + max(map(max, held)):
            sizes.add(total)
    return sizes
