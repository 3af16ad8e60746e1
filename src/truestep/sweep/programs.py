"""How the functions of a stack are carried out: plainly, written down as programs, or compiled."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from truestep.core.batch import rows
from truestep.core.errors import TraceError
from truestep.core.folding import folded
from truestep.core.inductor import compiled
from truestep.core.program import Program, trace
from truestep.sweep.stack import Stack

TRACED_FROM = 8
"""Steps from which writing a program down is repaid."""
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
        self.stack, self._say, self._steps, self._compile = stack, say, steps, compile
        self._traced = steps >= TRACED_FROM
        self._held: dict[Any, list[Program]] = {}
        self._last: dict[Any, Program] = {}
        self._steady: dict[Any, Program] = {}
        self._calls: dict[Any, int] = {}
        self._began = 0.0

    def begin(self) -> None:
        """A chunk begins, whose rules remember nothing yet: no program is taken for granted."""
        self._last.clear()
        self._steady.clear()

    def __call__(self, name: str, *args: Any) -> Any:
        """`stack.name(*args)`."""
        if not self._traced:
            return getattr(self.stack, name)(*args)
        key = name, rows(args[-1]) if name == "evaluated" else args[-1].shape
        program = self._steady.get(key)
        if program is None:
            program = self._found(key, name, args)
            return getattr(self.stack, name)(*args) if program is None else program.run(*args)
        if self._compile == "auto" and name == "step":
            self._consider(key, program, args)
            program = self._steady[key]
        return program.run(*args)

    def _found(self, key: Any, name: str, args: tuple[Any, ...]) -> Program | None:
        """A program that fits: one that fits what it returned itself will go on fitting, and is not asked again."""
        for program in self._held.get(key, []):
            if program.fits(*args):
                if self._last.get(key) is program:
                    self._steady[key] = program
                self._last[key] = program
                return program
        try:
            program = folded(trace(getattr(self.stack, name), args), args)
        except TraceError as error:
            self._say(f"the variants are stepped without a program of their own, which takes longer: {error}")
            self._traced = False
            return None
        if self._compile is True:
            program = self._through_compiler(program)
        self._held.setdefault(key, []).append(program)
        self._last[key] = program
        return program

    def _consider(self, key: Any, program: Program, args: tuple[Any, ...]) -> None:
        """Measure some calls, and compile where what is left of the study repays it."""
        calls = self._calls[key] = self._calls.get(key, 0) + 1
        if calls == MEASURED.start:
            self._began = time.perf_counter()
        elif calls == MEASURED.stop:
            each = (time.perf_counter() - self._began) / len(MEASURED)
            if each * SAVED * (self._steps - calls) > COMPILE_SECONDS:
                self._steady[key] = self._through_compiler(program)

    def _through_compiler(self, program: Program) -> Program:
        try:
            return compiled(program)
        except TraceError as error:
            self._say(f"the variants are stepped without the compiler: {error}")
            self._compile = False
            return program
