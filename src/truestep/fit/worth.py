"""When programs and compiled steps are worth their set-up: arithmetic on measured and expected seconds.

Nothing is begun that is not expected to save more processor time than it takes, wherever that time is spent: a core to
spare means that the run need not wait, not that the work is free.
"""

from __future__ import annotations

from dataclasses import dataclass

LEARNING = 0.01
"""Seconds that it takes to write a step down as programs and to prove it, beside the steps that are taken for that."""
MOST = 100e-6
"""The most, in seconds a step, that programs are expected to save before they are measured."""
POOLED = 3e-9
"""Seconds that they are expected to save by each entry of an image that they pool quicker, see `core/pooling.py`."""
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
TICK = 0.01
"""Seconds by which processor time is counted."""
SPREAD = 2.0
"""How many times as long as is expected a build may take: it is begun, and goes on, only where even that is repaid."""


def tried(steps: int) -> bool:
    """Whether programs could repay a run of so many steps, however quick they are; 0 where nobody knows how many."""
    return not steps or MOST * steps > LEARNING


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

    def built(self, left: float, used: float = 0.0, meanwhile: float = 0.0) -> bool:
        """Whether they repay what is left of a build, at its longest, while steps go on as they are.

        Before it has begun, as many steps are expected to be taken as fit into its time: with a core to spare and
        without one, where they take twice as long.

        Args:
            left: steps.
            used: seconds of processor time that it has had.
            meanwhile: steps that were taken since it began; many a second of its own, where others want its core.
        """
        rest = SPREAD * self.building - used
        a_second = meanwhile / max(used, TICK) if meanwhile else 1 / self.each if self.each else 0.0
        return rest > 0 and self.saved * (left - rest * a_second) > rest + self.opening
