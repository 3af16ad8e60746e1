"""Grids as words: `lr=0.001:1:log16`, `weight_decay=0:101`, `momentum=0,0.5,0.9`, `lr=loguniform(1e-4,1)`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import truestep as ts

MOST = 100_000
FORMS = "0.1,0.01 or 0:101 or 0:100:10 or 0.001:1:log16 or 0:1:lin11 or loguniform(1e-4,1)"
DRAWS = {"loguniform": ts.loguniform, "uniform": ts.uniform}
WORDS = {"true": True, "false": False, "none": None}


def grid_of(words: Sequence[str]) -> dict[str, Any]:
    """Name -> values or a draw, from words such as `lr=0.1,0.01`.

    Raises:
        ConfigError: for words that are no grid, with those that are.
    """
    return {name: _values(name, spec) for name, spec in _pairs("--grid", words, "lr=0.1,0.01").items()}


def fixed_of(words: Sequence[str]) -> dict[str, Any]:
    """Name -> value, from words such as `lr=0.1`.

    Raises:
        ConfigError: for words that name nothing, or give it several values.
    """
    found = _pairs("--fixed", words, "lr=0.1")
    for name, word in found.items():
        if "," in word or ":" in word:
            raise ts.ConfigError(f"--fixed {name}={word}: a fixed setting has one value; vary it by --grid {name}=...")
    return {name: _value(word) for name, word in found.items()}


def _pairs(option: str, words: Sequence[str], example: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, sign, spec = (part.strip() for part in word.partition("="))
        if not (sign and spec and name.replace("-", "_").isidentifier()):
            raise ts.ConfigError(f"{option} {word}: this is a name, = and what it is, as in {option} {example}.")
        name = name.replace("-", "_")
        if name in found:
            raise ts.ConfigError(f"{option} names {name} twice: give all of its values in one, as in {name}=0.1,0.01.")
        found[name] = spec
    return found


def _values(name: str, spec: str) -> Any:
    try:
        drawn = re.fullmatch(r"(\w+)\((.*)\)", spec)
        if drawn:
            return _draw(*drawn.groups())
        found = _span(spec) if ":" in spec else [_value(word.strip()) for word in spec.split(",")]
    except ValueError as error:
        raise ts.ConfigError(f"--grid {name}={spec}: {str(error).rstrip('.')}.") from None
    if len(found) > MOST:
        raise ts.ConfigError(f"--grid {name}={spec}: this is {len(found):,} values, and {MOST:,} is the most.")
    return found


def _draw(kind: str, inside: str) -> Any:
    if kind not in DRAWS:
        raise ValueError(f"there is no draw {kind!r}, only {' and '.join(DRAWS)}")
    ends = [_number(word) for word in inside.split(",")]
    if len(ends) != 2:
        raise ValueError(f"{kind} takes two numbers, as in {kind}(1e-4,1)")
    return DRAWS[kind](*ends)


def _span(spec: str) -> Sequence[Any]:
    parts = [part.strip() for part in spec.split(":")]
    spread = re.fullmatch(r"(log|lin)(\d{1,6})", parts[-1])
    if spread and len(parts) == 3:
        return _spread(spread[1], int(spread[2]), _number(parts[0]), _number(parts[1]))
    if len(parts) > 3 or not all(re.fullmatch(r"-?\d{1,15}", part) for part in parts):
        raise ValueError(f"this is no grid; write {FORMS}")
    found = range(*map(int, parts)) if "0" not in parts[2:] else range(0)
    if not found:
        raise ValueError("this range is empty: it goes from its first number up to, and not including, its second")
    return found


def _spread(kind: str, count: int, low: float, high: float) -> list[float]:
    """`count` values from `low` to `high`, both included."""
    if count < 2 or count > MOST:
        raise ValueError(f"{kind}{count} must be from {kind}2 to {kind}{MOST}")
    if kind == "lin":
        return [low + (high - low) * k / (count - 1) for k in range(count - 1)] + [high]
    if low <= 0 or high <= 0:
        raise ValueError("a logarithm needs two numbers above 0; take lin for others")
    return [low, *(low * (high / low) ** (k / (count - 1)) for k in range(1, count - 1)), high]


def _number(word: str) -> float:
    try:
        found = float(word)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{word.strip()!r} is no finite number")
    return found


def _value(word: str) -> Any:
    """A whole number, a number, true, false, none, or else the word itself."""
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            pass
    if not word or set(word) & set("()[]{}:="):
        raise ValueError(f"{word!r} is no value; write {FORMS}")
    return WORDS.get(word.lower(), word)
