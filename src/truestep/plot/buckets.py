"""A line of any length in bounded memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

MOST = 500  # points drawn of one line, however many it has: as many as a usual figure has pixels to show
PARTS, FEWEST = 100, 4  # of a line whose means are told, and the points in one such part

Point = tuple[int, float, float]  # its number, so that the order of arrival is known, x and y


@dataclass(slots=True)
class Bucket:
    """Neighbours: the least and the greatest of them, and what their mean is made of, gaps left out."""

    low: Point
    high: Point
    number: int
    sum_x: float
    sum_y: float

    def take(self, point: Point) -> None:
        """Take in one point that is a number; nothing compares with a gap."""
        _, x, y = point
        if not self.low[2] <= y:
            self.low = point
        if not self.high[2] >= y:
            self.high = point
        self.number, self.sum_x, self.sum_y = self.number + 1, self.sum_x + x, self.sum_y + y

    def join(self, other: Bucket) -> None:
        """Take in what comes behind."""
        self.low, self.high = span(self.low, self.high, other.low, other.high)
        self.number, self.sum_x, self.sum_y = (
            self.number + other.number, self.sum_x + other.sum_x, self.sum_y + other.sum_y,
        )  # fmt: skip


class Buckets:
    """A line to which points are added one by one, at a cost that does not grow with their number.

    Once there are many, each bucket of neighbours is told by its least and its greatest point: no peak is lost.
    """

    def __init__(self) -> None:
        self.points = 0
        self._buckets: list[Bucket] = []
        self._each = 1  # points that a bucket stands for

    def add(self, x: float, y: float) -> None:
        """Add one point; a value that is not finite leaves a gap."""
        x, y = float(x), float(y) if math.isfinite(y) else math.nan
        point, gap = (self.points, x, y), y != y
        if not self.points % self._each:
            self._buckets.append(Bucket(point, point, 0 if gap else 1, 0.0 if gap else x, 0.0 if gap else y))
        elif not gap:
            self._buckets[-1].take(point)
        self.points += 1
        if len(self._buckets) > MOST // 2:
            self._buckets, self._each = joined(self._buckets, 2), 2 * self._each

    def drawn(self) -> list[Point]:
        """At most `MOST` points, in the order of arrival."""
        return [point for bucket in self._buckets for point in sorted({bucket.low, bucket.high})]

    def means(self) -> list[tuple[float, float]]:
        """Means over equal parts, x and y; none where a part has too few points for that."""
        group = -(-len(self._buckets) // PARTS)
        if self._each * group < FEWEST:
            return []
        found = joined(self._buckets, group)
        return [(part.sum_x / part.number, part.sum_y / part.number) for part in found if part.number]


def joined(buckets: list[Bucket], number: int) -> list[Bucket]:
    """Every so many neighbours as one."""
    found = []
    for start in range(0, len(buckets), number):
        first, *rest = buckets[start : start + number]
        whole = Bucket(first.low, first.high, first.number, first.sum_x, first.sum_y)
        for each in rest:
            whole.join(each)
        found.append(whole)
    return found


def span(*points: Point) -> tuple[Point, Point]:
    """The least and the greatest of some points; a gap stands only for a bucket of gaps."""
    low = min(points, key=lambda point: (math.isnan(point[2]), point[2]))
    return low, max(points, key=lambda point: (not math.isnan(point[2]), point[2]))
