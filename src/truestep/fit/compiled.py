"""Which way the steps of a run are taken: as ever, or as programs where they are repaid; measured, not guessed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from truestep.core.batch import Batch
from truestep.core.errors import ConfigError
from truestep.core.outcome import StepOut
from truestep.core.step import TrainStep
from truestep.core.traced import Traced, shape_of

SEEN = 10
"""Steps of one shape whose time says what a step of it takes."""
LEARNING = 0.04
"""Seconds that it takes to write a step down and to prove it, beside the steps that are taken for that."""
TAKEN = 8
"""How many steps are taken for that."""
SAVED = 0.25
"""The share of a step's time that a program is expected to save, before it is measured."""
SHAPES = 32
"""Shapes of windows that are looked at; there is no end to those of sequences as long as they come."""
PAYS = 0.98
"""The share of the time as ever below which a program goes on being used."""


@dataclass(slots=True)
class _Shape:
    """What is known of the steps of one shape: their times in seconds, and whether to go on trying."""

    times: list[float] = field(default_factory=list)
    eager: float = 0.0
    open: bool = True

    def add(self, seconds: float) -> bool:
        """Add a time; says whether there are enough."""
        self.times.append(seconds)
        return len(self.times) >= SEEN

    def typical(self) -> float:
        """The lower quartile: what disturbs a step makes it longer."""
        found = sorted(self.times)[len(self.times) // 4]
        self.times.clear()
        return found


class Tiers:
    """Takes the steps of a run, in the way that has been measured to be the quickest.

    Args:
        step: whose steps they are; this becomes its `quick`.
        compile: "auto" where it is repaid, or True: at once.
        steps: how many steps the run is going to take, 0 where nobody can say.
        say: hears why a step that was asked to be compiled is not.
    """

    def __init__(self, step: TrainStep, compile: Any, steps: int, say: Callable[[str], None]) -> None:
        self.step, self.traced = step, Traced(step)
        self._asked, self._steps, self._say = compile is True, steps, say
        self._shapes: dict[Any, _Shape] = {}
        self._taken = 0
        step.quick = self

    def refresh(self) -> None:
        """Look anew at what others could have changed meanwhile."""
        if self.traced.refresh():
            for shape in self._shapes.values():
                shape.times.clear()
                shape.open = True

    def take(self, micros: Sequence[Batch], before: Sequence[Tensor]) -> StepOut:
        """One step; see `TrainStep.window`."""
        key = shape_of(micros)
        shape = self._shapes.get(key) or self._shapes.setdefault(key, _Shape(open=len(self._shapes) < SHAPES))
        self._taken += 1
        known = self.traced.knows(key)
        if not shape.open:
            return self.traced.take(micros, before, key) if known else self.step.eagerly(micros)
        began = time.perf_counter()
        if known:
            out = self.traced.take(micros, before, key)
            if shape.add(time.perf_counter() - began):
                self._judge(key, shape)
            return out
        if (shape.times and self._asked) or (shape.eager and self._repaid(shape.eager)):
            return self._learn(micros, key, shape)
        out = self.step.eagerly(micros)
        if shape.add(time.perf_counter() - began):
            shape.eager = shape.typical()
        return out

    def _repaid(self, each: float) -> bool:
        """Whether the steps of the run that are left repay what it takes to write one down."""
        share = 1 / len(self._shapes)
        left = max(self._steps - self._taken, 0) if self._steps else self._taken
        return each * SAVED * left * share > LEARNING + TAKEN * each

    def _learn(self, micros: Sequence[Batch], key: Any, shape: _Shape) -> StepOut:
        out, why = self.traced.learn(micros, key)
        shape.times.clear()
        if why:
            shape.open = False
            if self._asked:
                self._say(f"the steps are taken without a program of their own: {why}")
        return out

    def _judge(self, key: Any, shape: _Shape) -> None:
        shape.open = False
        if shape.eager and shape.typical() > PAYS * shape.eager:
            self.traced.forget(key)


def tiers(step: TrainStep, compile: Any, steps: int, say: Callable[[str], None]) -> Tiers | None:
    """Who takes the steps of a run; None where they are taken as ever."""
    return None if compile is False else Tiers(step, compile, steps, say)


def refuse_other(compile: Any) -> None:
    """Refuse a setting that is none.

    Raises:
        ConfigError: for anything but "auto", True and False.
    """
    if not isinstance(compile, bool) and compile != "auto":
        raise ConfigError(f"compile knows 'auto', True and False, and {compile!r} is none of them.")
