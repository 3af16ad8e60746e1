"""How the functions of a stack are carried out: plainly, written down as programs, or compiled."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from truestep.core.batch import rows
from truestep.core.errors import TraceError
from truestep.core.folding import folded
from truestep.core.inductor import compiled
from truestep.core.pooling import SAME_BITS
from truestep.core.program import Program, trace, unrolled
from truestep.sweep.stack import Fixed, Stack, State

Figures = tuple[dict[str, Tensor], dict[str, Tensor]]
"""Totals and counts by name."""
TRACED_FROM = 8
"""Steps from which writing a program down is repaid."""
MANY, SHORT = 8, 5e-4
"""Steps that a compiled program takes a call, where one takes fewer seconds: they share what a call costs beside."""
COMPILE_SECONDS = 15.0
"""What compiling a step takes, at the most."""
SAVED = 0.5
"""The share of a step's time that compiling saves, at the least where it is worth while."""
MEASURED = range(3, 13)
"""The calls of a program that its time is taken from."""


class Programs:
    """The functions of a stack, each written down once for each shape that it meets.

    Args:
        stack: whose functions these are.
        say: hears why something has to be done in a slower way, in a sentence.
        steps: how many steps the variants of this shape will take, which decides what is worth its set-up.
        compile: True, False, or "auto", where the time that is left would repay it.
    """

    def __init__(self, stack: Stack, say: Callable[[str], None], steps: int, compile: Any) -> None:
        self.stack, self._say, self._left, self._compile = stack, say, steps, compile
        self._traced = steps >= TRACED_FROM
        self._many: set[str] = set()  # the functions whose steps are taken several a call
        self._wanted: set[Any] = set()  # the programs that are to be compiled
        self._held: dict[Any, list[Program]] = {}
        self._last: dict[Any, Program] = {}
        self._steady: dict[Any, Program] = {}
        self._clocks: dict[Any, _Clock] = {}

    def begin(self) -> None:
        """A chunk begins, whose rules remember nothing yet: no program is taken for granted."""
        self._last.clear()
        self._steady.clear()

    def run(self, name: str, state: State, fixed: Fixed, given: Tensor) -> tuple[State, Figures]:
        """The steps on the samples `given` (steps, orders, batch), and their figures, each (steps, orders, grid)."""
        parts: list[Figures] = []
        whole = len(given) // MANY * MANY if name in self._many and self._traced else 0
        for at in range(0, whole, MANY):
            state, figures = self._call(name, MANY, state, fixed, given[at : at + MANY])
            parts.append(figures)
        seen: list[Figures] = []
        for row in given[whole:].unbind():
            state, figures = self._call(name, 1, state, fixed, row)
            seen.append(figures)
        if seen:
            parts.append(joined(seen, torch.stack))
        self._left -= len(given)
        return state, parts[0] if len(parts) == 1 else joined(parts, torch.cat)

    def __call__(self, name: str, *args: Any) -> Any:
        """`stack.name(*args)`."""
        return self._call(name, 1, *args)

    def _call(self, name: str, steps: int, *args: Any) -> Any:
        if not self._traced:
            return getattr(self.stack, name)(*args)
        key = name, steps, rows(args[-1]) if name == "evaluated" else args[-1].shape
        program = self._steady.get(key)
        if program is None:
            program = self._found(key, args)
            return self._function(key)(*args) if program is None else program.run(*args)
        if self._compile and name != "evaluated" and steps == 1:
            self._consider(key)
        return program.run(*args)

    def _function(self, key: Any) -> Callable[..., Any]:
        name, steps, _ = key
        function = getattr(self.stack, name)
        return function if steps == 1 else unrolled(function, steps)

    def _found(self, key: Any, args: tuple[Any, ...]) -> Program | None:
        """A program that fits: one that fits what it returned itself will go on fitting, and is not asked again."""
        for program in self._held.get(key, []):
            if program.fits(*args):
                if self._last.get(key) is program:
                    self._steady[key] = program
                self._last[key] = program
                return program
        compiles = self._compile is True or key in self._wanted
        rewrites = {} if compiles else SAME_BITS  # torch's compiler has rewrites of its own
        try:
            program = folded(trace(self._function(key), args, rewrites), args)
        except TraceError as error:
            self._say(f"the variants are stepped without a program of their own, which takes longer: {error}")
            self._traced = False
            return None
        if compiles:
            program = self._through_compiler(program)
        self._held.setdefault(key, []).append(program)
        self._last[key] = program
        return program

    def _consider(self, key: Any) -> None:
        """Measure some calls; compile where what is left repays it, several steps a call where one is short."""
        clock = self._clocks.setdefault(key, _Clock(self._left))
        each = clock.tick()
        if each is None or key in self._wanted:
            return
        name, _, shape = key
        # Where most steps are taken several a call, few of those that are left are taken by this program.
        own = self._left * MEASURED.stop / max(MEASURED.stop, clock.left - self._left)
        if self._compile == "auto" and each * SAVED * own <= COMPILE_SECONDS:
            return
        if each < SHORT and name not in self._many:
            self._many.add(name)
            self._wanted.add((name, MANY, (MANY, *shape)))
            self._clocks.pop(key)
        elif self._compile == "auto":
            self._steady.pop(key)
            self._wanted.add(key)
            self._held[key] = []

    def _through_compiler(self, program: Program) -> Program:
        try:
            return compiled(program)
        except TraceError as error:
            self._say(f"the variants are stepped without the compiler: {error}")
            self._compile = False
            self._many.clear()
            return program


class _Clock:
    """Times the calls of a program; `left` steps were left when it began."""

    def __init__(self, left: int) -> None:
        self.left, self._calls, self._began = left, 0, 0.0

    def tick(self) -> float | None:
        """A call begins: the seconds of a call, once, when those that are measured have ended."""
        self._calls += 1
        if self._calls == MEASURED.start:
            self._began = time.perf_counter()
        return (time.perf_counter() - self._began) / len(MEASURED) if self._calls == MEASURED.stop else None


def joined(parts: list[Figures], how: Callable[[list[Tensor]], Tensor]) -> Figures:
    """The figures of several parts as one, name by name."""
    totals, counts = ({name: how([one[k][name] for one in parts]) for name in parts[0][k]} for k in (0, 1))
    return totals, counts
