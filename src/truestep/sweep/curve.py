"""A figure against one hyper-parameter, over seeds."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

BAND = (0.1, 0.9)
FLAT = 0.05


class Curve(NamedTuple):
    """A figure against one hyper-parameter, over seeds: arrays (points,), x in rising order."""

    x: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def least(self) -> int | None:
        """The place of the least finite median; None where every median diverged."""
        finite = [(value, place) for place, value in enumerate(self.median.tolist()) if math.isfinite(value)]
        return min(finite)[1] if finite else None

    def flat_from(self, share: float = FLAT) -> int | None:
        """The first place from which on the median stays within `share` (5 %) of its last value.

        None where the last but one is further away already, or the last is not finite: then it is flat nowhere.
        """
        last = float(self.median[-1])
        if not math.isfinite(last):
            return None
        away = ~(np.abs(self.median - last) <= share * abs(last))  # not-a-number is away too
        first = int(np.flatnonzero(away)[-1]) + 1 if away.any() else 0
        return first if first < len(away) - 1 else None


def curve_of(points: Sequence[Any], groups: Sequence[Sequence[float]], band: tuple[float, float], more: bool) -> Curve:
    """The curve through the median of each group; `low` and `high` are the quantiles `band`."""
    sides = [[quantile(values, share, more) for values in groups] for share in (0.5, *band)]
    x = np.array(points) if all(isinstance(point, int | float | str) for point in points) else _objects(points)
    return Curve(x, *(np.array(side) for side in sides))


def quantile(values: Sequence[float], share: float, more: bool = False) -> float:
    """A quantile over seeds; one that diverged counts as infinitely bad, or where `more` is better, as nothing."""
    bad = [(0.0 if more else math.inf) if math.isnan(value) else value for value in values]
    if all(map(math.isfinite, bad)):
        return float(np.quantile(bad, share))
    return float(np.quantile(bad, share, method="nearest"))


def rising(values: Sequence[Hashable]) -> list[Any]:
    """The different values in rising order; those that have no order, such as words beside None, as they come."""
    found = list(dict.fromkeys(values))
    try:
        return sorted(found)  # type: ignore[type-var]
    except TypeError:
        return found


def _objects(points: Sequence[Any]) -> np.ndarray:
    """An array of pairs and the like, which numpy would take for rows of numbers."""
    found = np.empty(len(points), dtype=object)
    found[:] = points
    return found
