"""Curves of any length in few points: every valley, every peak and every gap of them is kept."""

import math
from typing import Any

import numpy as np

MOST = 2400  # points of one curve: more than a screen has columns
PARTS, FEWEST = 100, 4  # of a curve whose means are told, and the points in one such part


class Curve:
    """One scalar by rising step; a step that is recorded again counts as it was recorded last."""

    def __init__(self) -> None:
        self.steps = np.empty(0)
        self.values = np.empty(0)

    @property
    def last(self) -> float:
        """The last step, and minus infinity before the first."""
        return float(self.steps[-1]) if len(self.steps) else -np.inf

    def add(self, steps: np.ndarray, values: np.ndarray) -> None:
        """Take more of it, in the order in which it was recorded."""
        rises = len(steps) == 0 or (steps[0] > self.last and bool(np.all(np.diff(steps) > 0)))
        self.steps = np.concatenate([self.steps, steps])
        self.values = np.concatenate([self.values, values])
        if not rises:
            backwards = self.steps[::-1]
            self.steps, first = np.unique(backwards, return_index=True)
            self.values = self.values[::-1][first]

    def part(self, first: float, last: float) -> "Curve":
        """What lies between two steps, with one point more at either side, so that its line reaches the edges."""
        found = Curve()
        start = max(0, int(np.searchsorted(self.steps, first, side="right")) - 1)
        end = int(np.searchsorted(self.steps, last, side="left")) + 1
        found.steps, found.values = self.steps[start:end], self.values[start:end]
        return found

    def points(self, after: float = -np.inf, most: int = MOST) -> dict[str, list[Any]]:
        """What comes after the step `after`, thinned out: `x`, and `y` with None for what is not finite."""
        start = int(np.searchsorted(self.steps, after, side="right"))
        steps, values = self.steps[start:], self.values[start:]
        kept = thinned(values, most)
        return {"x": [short(step) for step in steps[kept]], "y": [short(value) for value in values[kept]]}

    def trend(self) -> dict[str, list[Any]] | None:
        """Means over equal parts of all of it, at the middle of each; None where it has too few points for that."""
        width = -(-len(self.steps) // PARTS)
        if width < FEWEST:
            return None
        starts = np.arange(0, len(self.steps), width)
        finite = np.isfinite(self.values)
        numbers = np.add.reduceat(finite, starts, dtype=float)
        sums = np.add.reduceat(np.where(finite, self.values, 0.0), starts)
        means = np.divide(sums, numbers, out=np.full(len(starts), np.nan), where=numbers > 0)
        ends = np.minimum(starts + width, len(self.steps)) - 1
        return {"x": [short(x) for x in (self.steps[starts] + self.steps[ends]) / 2], "y": [short(y) for y in means]}


def thinned(values: np.ndarray, most: int = MOST) -> np.ndarray:
    """The places of at most about `most` values, rising: the first, the last, and of every bucket the extremes.

    A bucket that holds a value that is not finite keeps one such, so that a gap stays a gap.
    """
    count = len(values)
    if count <= most:
        return np.arange(count)
    buckets = max(1, most // 3)
    width = -(-count // buckets)
    finite = np.isfinite(values)
    starts = np.arange(0, count, width)
    kept = [np.array([0, count - 1])]
    for wanted, filling in ((np.argmin, np.inf), (np.argmax, -np.inf)):
        filled = np.where(finite, values, filling)
        padded = np.concatenate([filled, np.full(len(starts) * width - count, filling)])
        kept.append(starts + wanted(padded.reshape(-1, width), axis=1))
    odd = np.concatenate([~finite, np.zeros(len(starts) * width - count, bool)]).reshape(-1, width)
    kept.append((starts + odd.argmax(axis=1))[odd.any(axis=1)])
    return np.unique(np.concatenate(kept))


def number(value: Any) -> float:
    """A figure as a float; whatever is none, or is larger than any float, is not-a-number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def short(value: float) -> int | float | None:
    """A number in the digits that a picture has use for; a whole one keeps all of its own."""
    if not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(f"{value:.7g}")
