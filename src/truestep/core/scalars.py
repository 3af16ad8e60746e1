"""Numbers that a program is given anew at each call: plain floats whose arithmetic is written down with the operations.

An operation of torch keeps of a number nothing but its value, so a recorded number is known again by its value. Whoever
traces gives numbers that occur nowhere else by chance, see `unlike`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from ctypes import c_float
from typing import Any

from truestep.core.errors import TraceError
from truestep.core.tape import Entry, Tape

SIGNS: dict[Callable[..., Any], str] = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.pow: "**",
}


def single_times(a: float, b: float) -> float:
    """`a * b` in float32, as torch multiplies a tensor of one such number; in float64 the product is exact."""
    return c_float(c_float(a).value * c_float(b).value).value


FUNCTIONS: dict[Callable[..., Any], str] = {math.fabs: "number_fabs", single_times: "number_single_times"}
"""Those of numbers that a program may call, and what they are called in it: results have the name of the function."""


def unlike(seed: int) -> float:
    """A number between 0.3 and 0.7 that no formula holds by chance."""
    return 0.3 + 0.4 * math.modf(43758.5453123 * math.sin(seed + 0.7183))[0] ** 2


def computed(function: Callable[..., float], *numbers: float) -> float:
    """The result of one of `FUNCTIONS`, written down where a number is one of a record."""
    record = next((each.record for each in numbers if isinstance(each, Scalar)), None)
    return function(*numbers) if record is None else record.made(function, *numbers)


class Scalars:
    """The numbers of one record: the value of each, and the line that computes it."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self._lines: dict[float, Entry] = {}

    def given(self, value: float, name: str) -> Scalar:
        """A number that the program is given."""
        return self._known(value, self.tape.given(name))

    def line(self, value: Any) -> Any:
        """The line that computes this number, or the number itself where it is none of the record's."""
        return self._lines.get(value, value) if type(value) in (float, Scalar) else value

    def made(self, function: Callable[..., float], *args: Any) -> Scalar:
        """The result of arithmetic, written down once."""
        value = function(*(float(each) for each in args))
        if value in self._lines:
            return Scalar(value, self)
        return self._known(value, self.tape.call(function, tuple(self.line(each) for each in args)))

    def _known(self, value: float, line: Entry) -> Scalar:
        if value in self._lines or not math.isfinite(value):
            raise TraceError("two of its numbers cannot be told apart, or one is not finite.")
        self._lines[value] = line
        return Scalar(value, self)


class Scalar(float):
    """A number of a record; it computes as floats do, and may not steer what is computed."""

    record: Scalars

    def __new__(cls, value: float, record: Scalars) -> Scalar:
        """The number, and the record that it belongs to."""
        found = super().__new__(cls, value)
        found.record = record
        return found

    def _forward(function: Callable[..., float]) -> Any:  # pyright: ignore[reportGeneralTypeIssues, reportSelfClsParameterName]
        def method(self: Scalar, other: Any) -> Any:
            return self.record.made(function, self, other) if isinstance(other, int | float) else NotImplemented

        return method

    def _backward(function: Callable[..., float]) -> Any:  # pyright: ignore[reportGeneralTypeIssues, reportSelfClsParameterName]
        def method(self: Scalar, other: Any) -> Any:
            return self.record.made(function, other, self) if isinstance(other, int | float) else NotImplemented

        return method

    def __abs__(self) -> Any:
        return self.record.made(math.fabs, self)

    def _refused(self, other: Any) -> bool:
        raise TraceError("a number that changes from step to step decides what is computed.")

    __add__, __radd__ = _forward(operator.add), _backward(operator.add)
    __sub__, __rsub__ = _forward(operator.sub), _backward(operator.sub)
    __mul__, __rmul__ = _forward(operator.mul), _backward(operator.mul)
    __truediv__, __rtruediv__ = _forward(operator.truediv), _backward(operator.truediv)
    __pow__, __rpow__ = _forward(operator.pow), _backward(operator.pow)
    __lt__ = __le__ = __gt__ = __ge__ = _refused

    def __neg__(self) -> Any:
        return self.record.made(operator.mul, -1.0, self)

    def __hash__(self) -> int:
        return super().__hash__()
