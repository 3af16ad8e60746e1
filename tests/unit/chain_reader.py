"""Reads what a chain prints: every number as the interval of the values that print so, every name by its value."""

import itertools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

NUMBER = r"(?<![\w.])\d+(?:\.\d+)?(?:e[+-]\d+)?(?![\w.])"
NAME = r"[^\W\d][\w.]*(?:\[[\w,]+\])?(?!\w*\()"


@dataclass(frozen=True)
class Interval:
    low: float
    high: float

    def __add__(self, other: "Interval") -> "Interval":
        return Interval(self.low + other.low, self.high + other.high)

    def __neg__(self) -> "Interval":
        return Interval(-self.high, -self.low)

    def __sub__(self, other: "Interval") -> "Interval":
        return self + -other

    def __mul__(self, other: "Interval") -> "Interval":
        ends = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
        return Interval(min(ends), max(ends))

    def __truediv__(self, other: "Interval") -> "Interval":
        assert other.low * other.high > 0
        return self * Interval(1 / other.high, 1 / other.low)

    def __pow__(self, exponent: "Interval") -> "Interval":
        power = round((exponent.low + exponent.high) / 2, 6)
        ends = [self.low**power, self.high**power, *([0.0] if self.low < 0 < self.high else [])]
        return Interval(min(ends), max(ends))

    def holds(self, other: "Interval", slack: float) -> bool:
        wide = slack * max(1.0, abs(other.high))
        return self.low - wide <= other.high and other.low <= self.high + wide


def rising(function: Callable[[float], float]) -> Callable[[Interval], Interval]:
    return lambda z: Interval(function(z.low), function(z.high))


def near(function: Callable[[float], float]) -> Callable[[Interval], Interval]:
    """For a function whose slope is at most 1."""
    return lambda z: Interval(function(z.low) - (z.high - z.low), function(z.low) + (z.high - z.low))


FUNCTIONS: dict[str, Callable[[Interval], Interval]] = {
    "exp": rising(math.exp),
    "log": rising(math.log),
    "sqrt": rising(math.sqrt),
    "tanh": rising(math.tanh),
    "sigmoid": rising(lambda z: 1 / (1 + math.exp(-z))),
    "softplus": rising(lambda z: math.log1p(math.exp(z))),
    "relu": rising(lambda z: max(z, 0.0)),
    "step": rising(lambda z: float(z > 0)),
    "sign": rising(lambda z: float((z > 0) - (z < 0))),
    "abs": near(abs),
    "sin": near(math.sin),
    "cos": near(math.cos),
}


def printed(number: str, digits: int) -> Interval:
    """The values that print as this number: a shorter decimal is exact up to float32, any other is rounded."""
    mantissa, _, exponent = number.partition("e")
    decimals = len(mantissa.partition(".")[2])
    value, unit = float(number), 10.0 ** int(exponent or 0)
    rounded = decimals >= (digits - 1 if exponent else digits)
    half = 0.5 * 10.0**-decimals * unit * (1 + 1e-9) if rounded else 6.1e-8 * abs(value)
    return Interval(value - half, value + half)


def compute(formula: str, digits: int, names: Mapping[str, Interval] | None = None) -> Interval:
    """The interval of a formula, numbers as printed and names by their values."""
    for sign, word in (("²", "**2"), ("³", "**3"), ("^", "**"), ("·", "*")):
        formula = formula.replace(sign, word)
    known: dict[str, Any] = {"N": lambda text: printed(text, digits), **FUNCTIONS}
    source = formula if names is None else _held(formula, names, known)
    return eval(re.sub(NUMBER, lambda found: f"N('{found[0]}')", source), {"__builtins__": {}}, known)


def expand(formula: str, names: Mapping[str, Interval]) -> str:
    """A formula with every `Σ_i term` written out, over all indices for which its names exist."""
    while "Σ_" in formula:
        start = formula.rindex("Σ_")
        letters, body = formula[start + 2 :].split(" ", 1)
        end = _closing(body)
        terms = []
        for places in itertools.product(range(9), repeat=len(letters.split(","))):
            term = body[:end]
            for letter, place in zip(letters.split(","), places, strict=True):
                term = re.sub(rf"(?<=[\[,]){letter}(?=[,\]])", str(place), term)
            if all(name in names for name in _names(term)):
                terms.append(f"({term})")
        formula = f"{formula[:start]}({' + '.join(terms)}){body[end:]}"
    return formula


def _closing(body: str) -> int:
    depth = 0
    for place, sign in enumerate(body):
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            return place
    return len(body)


def _names(formula: str) -> list[str]:
    return re.findall(rf"∂{NAME}/∂{NAME}|{NAME}", formula)


def _held(formula: str, names: Mapping[str, Interval], known: dict[str, Any]) -> str:
    def hold(found: re.Match[str]) -> str:
        place = f"v{len(known)}"
        known[place] = names[found[0]]
        return place

    return re.sub(rf"∂{NAME}/∂{NAME}|{NAME}", hold, expand(formula, names))
