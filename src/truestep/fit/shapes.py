"""What is known of the steps whose batches are of one shape, and whether a program of theirs would be repaid."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from truestep.core.compiled import Compiled
from truestep.fit import worth

SEEN = 10
"""Steps of one shape whose time says what a step of it takes."""
TAKEN = 8
"""How many steps are taken to write one down and to prove it."""
SAVED = 0.6
"""The share of a step's time that a program is expected to save before it is measured."""
LEAST = 0.01
"""The share of a step's time below which nothing is tried to save it: that could hardly be measured."""


@dataclass(slots=True)
class Shape:
    """What is known of the steps of one shape: times in seconds, whether to go on measuring, what was compiled.

    `again` is the step of the run from which on it is considered to compile them, `pooled` the number of entries that a
    program would pool quicker, where it was looked for.
    """

    times: list[float] = field(default_factory=list)
    eager: float = 0.0
    traced: float = 0.0
    open: bool = True
    tries: int = 0
    wanted: int = 0
    count: int = 0
    again: float = inf
    pooled: int | None = None
    whole: Compiled | None = None

    def add(self, seconds: float) -> bool:
        """Add a time; says whether there are enough."""
        self.times.append(seconds)
        return len(self.times) >= SEEN

    def typical(self) -> float:
        """The lower quartile: what disturbs a step makes it longer."""
        found = sorted(self.times)[len(self.times) // 4]
        self.times.clear()
        return found

    def long(self, most: float = worth.MOST) -> bool:
        """Whether the most that could be saved of a step, in seconds, could hardly be measured."""
        return self.eager * LEAST > most

    def repaid(self, left: float) -> bool:
        """Whether so many steps that are left repay what it takes to write one down."""
        most = worth.MOST + worth.POOLED * (self.pooled or 0)
        if self.long(most):
            return False
        return min(self.eager * SAVED, most) * left > worth.LEARNING + TAKEN * self.eager
