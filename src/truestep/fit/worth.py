"""When a compiled step is worth its set-up: every decision as arithmetic on measured and expected seconds.

Nothing is begun that is not expected to save more processor time than it takes, wherever that time is spent: a core to
spare means that the run need not wait, not that the work is free.
"""

from __future__ import annotations

from dataclasses import dataclass

BUILDING, AN_OPERATION = 20.0, 0.04
"""Seconds that another process takes to start and to build a library, and those that each operation adds."""
OPENING, ITS_TRACE = 0.1, 0.001
"""Seconds that it takes to load a library, and to write an operation down before that."""
PROOF = 4
"""How often the steps are taken on copies before they count."""
SEVERAL = 0.8
"""The share of a step's time as programs that compiling is expected to save of several steps a call."""
A_CALL, FUSED = 2e-6, 0.03
"""Of one a call: seconds an operation, and the share that is saved where operations share their memory."""
MARGIN = 1.5
"""How far what is expected to be saved must exceed what a library takes to build, neither of which is measured yet."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What is expected of compiled steps.

    Args:
        each: seconds that a step takes as programs.
        times: steps a call.
        operations: how many a step has.
    """

    each: float
    times: int
    operations: int

    @property
    def saved(self) -> float:
        """Seconds that a compiled step saves, before it is measured."""
        return self.each * SEVERAL if self.times > 1 else A_CALL * self.operations + FUSED * self.each

    @property
    def opening(self) -> float:
        """Seconds that it takes to write the steps down, to load their library, and to prove it."""
        return OPENING + ITS_TRACE * self.operations * self.times + PROOF * self.times * self.each

    @property
    def building(self) -> float:
        """Seconds of processor time that it takes to build their library."""
        return BUILDING + AN_OPERATION * self.operations * self.times

    def opened(self, left: float) -> bool:
        """Whether `left` steps repay a library that is there."""
        return self.saved * left > self.opening

    def built(self, left: float) -> bool:
        """Whether they repay one that has to be built, while steps go on as they are.

        As many are taken meanwhile with a core to spare as without one, where they take twice as long.
        """
        meanwhile = self.building / self.each if self.each else 0.0
        return self.saved * (left - meanwhile) > MARGIN * self.building + self.opening
