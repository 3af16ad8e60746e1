"""Folds of one data set that a fresh model each was trained on and scored on: the fold was never left out.

Each model learned from the fold that it is scored on, and so did the others. The folds share no row, and the data that
a model learned from are more than its fold. So it is neither with parts that learn for themselves (their data
are not learned by the others), nor with scores of the training data (those are the same for all).
"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import NamedTuple

from truestep.check.events import Forward
from truestep.check.rules._batches import split
from truestep.check.rules._rows import FEW, SHARE, passes, read, scored, telling
from truestep.check.site import Site
from truestep.check.trace import Trace

LEAST, PART, ALL = 3, 0.5, 0.9
"""The fewest folds, what one may be of all the data, and what they have to be together."""


class Kept(NamedTuple):
    """The last score of a fold: how many of its rows its model was seen to learn, and of how many folds."""

    site: Site
    known: int
    rows: int
    folds: int


class _Fold(NamedTuple):
    site: Site
    rows: frozenset[int]
    learned: frozenset[int]


def kept_in(trace: Trace) -> Kept | None:
    """The last fold, where each model is scored on a part of what all of them learned."""
    trained, others = split(trace)
    learned: dict[int, set[int]] = defaultdict(set)
    calls: dict[int, dict[tuple[str, int], list[Forward]]] = defaultdict(lambda: defaultdict(list))
    for call in trained:
        if telling(call):
            learned[call.module].update(call.inputs[0].rows)
    if len(learned) < LEAST:
        return None
    for call in others:
        if call.module in learned and telling(call) and (scored(trace, call) or read(trace, call)):
            calls[call.module][call.site.place].append(call)
    folds = [_fold(trace, frozenset(learned[module]), list(lines.values())) for module, lines in calls.items()]
    found = [fold for fold in folds if fold is not None]
    if not LEAST <= len(found) == len(folds) or any(one.rows & other.rows for one, other in combinations(found, 2)):
        return None
    everything = frozenset().union(*(fold.rows for fold in found))
    taught = all(_meet(one.rows, other.learned) for one in found for other in found)
    whole = all(len(fold.learned - everything) <= (1 - ALL) * len(fold.learned) for fold in found)
    last = found[-1]
    return Kept(last.site, len(last.rows & last.learned), len(last.rows), len(found)) if taught and whole else None


def _fold(trace: Trace, learned: frozenset[int], lines: list[list[Forward]]) -> _Fold | None:
    """What a model is scored on besides the data that it learned from: one part of these, and no other rows."""
    known: dict[frozenset[int], Site] = {}
    for calls in passes(trace, lines):
        known[frozenset(row for call in calls for row in call.inputs[0].rows)] = calls[-1].site
    parts = [rows for rows in known if len(rows) < PART * len(learned)]
    rest = [rows for rows in known if len(rows) >= PART * len(learned)]
    if len(parts) != 1 or any(not parts[0] <= rows for rows in rest):
        return None
    return _Fold(known[parts[0]], parts[0], learned)


def _meet(fold: frozenset[int], learned: frozenset[int]) -> bool:
    return len(fold & learned) >= max(FEW, SHARE * len(fold))
