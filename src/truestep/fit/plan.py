"""How the data of a run are gone over, and what stops it."""

from __future__ import annotations

from dataclasses import dataclass

from truestep.core.errors import ConfigError

TAILS = ("step", "carry", "drop")


@dataclass(slots=True)
class Plan:
    """How the data are gone over, with what stops it; refuses what cannot mean anything."""

    epochs: int
    seed: int
    batch_size: int | None
    shuffle: bool = True
    accumulate: int = 1
    tail: str = "step"
    patience: int | None = None
    evaluate_every: int = 1

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0), ("accumulate", 1), ("patience", 1)):
            number = getattr(self, name)
            if (number is not None or name != "patience") and (not isinstance(number, int) or number < least):
                raise ConfigError(f"{name} must be a whole number of at least {least}, and not {number!r}.")
        if not isinstance(self.seed, int):
            raise ConfigError(f"seed must be a whole number, and not {self.seed!r}.")
        if self.tail not in TAILS:
            raise ConfigError(f"tail knows {', '.join(map(repr, TAILS))}, and {self.tail!r} is none of them.")
