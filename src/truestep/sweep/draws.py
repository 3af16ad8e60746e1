"""Values that are drawn instead of listed: uniform, log-uniform, or one of several."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from truestep.core.errors import ConfigError


@dataclass(frozen=True)
class Draw:
    """A hyper-parameter whose values are drawn; `of` makes one from a number between 0 and 1.

    `options` are those of a choice; otherwise a value lies between `low` and `high`, evenly on the axis of `log`.
    """

    words: str
    of: Callable[[float], Any]
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    options: tuple[Any, ...] = ()

    def take(self, count: int, generator: torch.Generator) -> list[Any]:
        """`count` values."""
        return [self.of(share) for share in torch.rand(count, generator=generator, dtype=torch.float64).tolist()]

    def __repr__(self) -> str:
        return self.words


def uniform(low: float, high: float) -> Draw:
    """Evenly between `low` and `high`.

    Raises:
        ConfigError: where low is not below high.
    """
    _ordered(low, high)
    return Draw(f"uniform({low:g}, {high:g})", lambda share: low + share * (high - low), low, high)


def loguniform(low: float, high: float) -> Draw:
    """Evenly on a logarithmic axis between `low` and `high`: `low * (high / low) ** u`, u uniform.

    Raises:
        ConfigError: where low is not above 0, or not below high.

    Source: Bergstra and Bengio, Random search for hyper-parameter optimization, 2012.
    """
    _ordered(low, high)
    if not low > 0:
        raise ConfigError(f"loguniform({low}, {high}): a logarithm needs low above 0.")
    return Draw(f"loguniform({low:g}, {high:g})", lambda share: low * (high / low) ** share, low, high, True)


def choice(options: Sequence[Any]) -> Draw:
    """One of `options`, each as likely as another.

    Raises:
        ConfigError: without options.
    """
    held = list(options)
    if not held:
        raise ConfigError("choice() needs at least one option.")
    return Draw(f"choice({held})", lambda share: held[min(int(share * len(held)), len(held) - 1)], options=tuple(held))


def _ordered(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(f"a draw needs two finite numbers, the lower one first, and not {low} and {high}.")
