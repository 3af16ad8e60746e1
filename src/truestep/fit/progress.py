"""What a person sees while a model trains: on a terminal one line that moves, in a pipe one line an epoch."""

from __future__ import annotations

import io
import math
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from truestep.fit.events import Ended, EpochEnded, Event, Resumed, Said, Started, Stepped

PERIOD = 0.1  # seconds between two refreshes: at most ten a second


class Progress:
    """An observer that writes to stderr. `show` False leaves only the sentences that a person must not miss."""

    curious = False

    def __init__(self, show: bool = True, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr or io.StringIO()  # a program without a console has no stderr
        self.show = show
        self.live = show and self.stream.isatty()
        self.wants_steps = self.live
        self._settings: Mapping[str, Any] = {}
        self._next = 0.0
        self._width = 0
        self._first_step = 1

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Started):
            self._settings = event.settings
        elif isinstance(event, EpochEnded):
            self._first_step += int(event.record["steps"] + event.record["skipped"])
            if self.show:
                self._line(self._epoch(event))
        elif isinstance(event, Ended):
            if event.reason:
                self._line(event.reason)
        elif isinstance(event, Stepped):
            self._step(event)
        elif isinstance(event, Said):
            self._line(f"note: {event.text}")
        elif isinstance(event, Resumed):
            self._first_step = event.step - event.done + 1

    def _step(self, event: Stepped) -> None:
        if not self.live or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PERIOD
        done, whole = event.step - self._first_step + 1, self._settings.get("steps_per_epoch") or 0
        share = f"{done}/{whole}" if whole else f"{done}"
        bar = _bar(done / whole) if whole else ""
        text = f"epoch {event.epoch}/{self._settings.get('epochs')} {bar} step {share}  loss {_figure(event.out.loss)}"
        self.stream.write("\r" + text.ljust(self._width))
        self.stream.flush()
        self._width = len(text)

    def _epoch(self, event: EpochEnded) -> str:
        figures, epochs = dict(event.record.items()), str(self._settings.get("epochs", "?"))
        parts = [f"epoch {str(figures['epoch']).rjust(len(epochs))}/{epochs}"]
        for name, value in figures.items():
            if name == "samples":  # what follows is no loss and no metric
                break
            if name != "epoch":
                parts.append(f"{name} {_figure(value)}")
        rate = figures["samples"] / figures["seconds"] if figures["seconds"] else 0.0
        parts.append(f"{rate:,.0f} samples/s")
        if event.best:
            parts.append("*best")
        return "  ".join(parts)

    def _line(self, text: str) -> None:
        start, self._width = ("\r" + " " * self._width + "\r" if self._width else ""), 0
        self.stream.write(f"{start}{text}\n")
        self.stream.flush()


def _bar(share: float, width: int = 24) -> str:
    full = min(width, int(share * width))
    return "[" + "#" * full + "." * (width - full) + "]"


def _figure(value: Any) -> str:
    if not isinstance(value, float) or not math.isfinite(value):
        return str(value)
    return f"{value:.4f}" if 0.001 <= abs(value) < 10_000 or value == 0 else f"{value:.3e}"
