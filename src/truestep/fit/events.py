"""What observers see: frozen events. Nothing that they do can change the run under way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from truestep.core.outcome import StepOut
from truestep.fit.history import Record


@dataclass(frozen=True, slots=True)
class Started:
    """A run begins, with its settings in plain data."""

    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resumed:
    """A run goes on from a checkpoint of `step`, `done` updates into `epoch`, with the records of the epochs before."""

    step: int
    epoch: int
    done: int
    history: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Stepped:
    """An update was made or skipped: `step` counts from 1 over the run, `epoch` from 1."""

    step: int
    epoch: int
    out: StepOut


@dataclass(frozen=True, slots=True)
class EpochEnded:
    """An epoch and its validation ended; `best` says whether it is the best so far."""

    record: Record
    best: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence for the person who trains."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A run ended: `status` "finished", "stopped", "interrupted" or "failed", and why in words."""

    status: str
    reason: str


Event = Started | Resumed | Stepped | EpochEnded | Said | Ended
Observer = Callable[[Event], Any]


class Audience:
    """The observers of a run: our own, and the user's.

    One that raises is left out from then on, with a sentence: it must not cost the run. What a user's observer draws
    from torch's generator of the processor is put back, since it would change the dropout that follows.
    """

    def __init__(self, own: Sequence[Observer], users: Sequence[Observer], say: Callable[[str], None]) -> None:
        self.observers, self._say = [*own, *users], say
        self.guests = bool(users)
        # An event of each step is made only where somebody reads it, and so are all the settings.
        self.wants_steps = self.curious = False
        for observer in self.observers:
            self.wants_steps |= bool(getattr(observer, "wants_steps", True))
            self.curious |= bool(getattr(observer, "curious", True))

    def tell(self, event: Event) -> None:
        """Show one event to every observer, and only then say which of them failed: that is an event of its own."""
        before = torch.get_rng_state() if self.guests else None
        failures: list[tuple[Observer, Exception]] = []
        for observer in self.observers:
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - whatever an observer dies of must not end the training
                failures.append((observer, error))
        if before is not None:
            torch.set_rng_state(before)
        if not failures:
            return
        self.observers = [one for one in self.observers if not any(one is failed for failed, _ in failures)]
        for failed, error in failures:
            name = getattr(failed, "__name__", type(failed).__name__)
            what = f"{type(error).__name__}: {error}"
            self._say(f"the observer {name} failed ({what}) and is left out from here.")

    def leave(self) -> None:
        """Hear nothing more: a run that has ended is no ring of references, which Python would have to look for."""
        self.observers, self._say = [], _unheard


def _unheard(sentence: str) -> None:
    """Nobody listens any more."""


NOBODY = Audience((), (), _unheard)
"""Who hears a run that has not begun."""
