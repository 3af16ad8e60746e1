"""What the live picture of a run shows, from the events of the run alone, in bounded memory."""

from __future__ import annotations

import math
import time
from typing import Any

from truestep.board.curves import number, short
from truestep.board.facts import figure_of
from truestep.fit.events import Ended, EpochEnded, Event, Resumed, Said, Started, Stepped
from truestep.fit.history import Record
from truestep.notebook.state import State
from truestep.plot.buckets import Buckets


class Picture:
    """A run as far as it was seen."""

    def __init__(self) -> None:
        self.state = State()
        self._steps: dict[str, Buckets] = {}
        self._epochs: dict[str, Buckets] = {}
        self.notes: list[str] = []
        self._began = time.monotonic()
        self.first = 1  # step of the epoch under way

    def see(self, event: Event) -> None:
        """Take in one event."""
        state = self.state
        if isinstance(event, Stepped):
            self._step(event)
        elif isinstance(event, EpochEnded):
            self._epoch(event.record)
            if event.best:
                state.best = event.record
            self.first += int(event.record["steps"] + event.record["skipped"])
        elif isinstance(event, Started):
            state.epochs = int(event.settings.get("epochs") or 0)
            state.per_epoch = int(event.settings.get("steps_per_epoch") or 0)
        elif isinstance(event, Resumed):
            self._resume(event)
        elif isinstance(event, Said):
            self.notes.append(event.text)
            state.notes = self.notes
        elif isinstance(event, Ended):
            state.status, state.reason = event.status, event.reason
        state.seconds = time.monotonic() - self._began

    def _step(self, event: Stepped) -> None:
        out, state = event.out, self.state
        state.epoch, state.done, state.rate = event.epoch, event.step - self.first + 1, out.lr
        if out.skipped:
            return
        for name, value in (("train_loss", out.loss), ("grad_norm", out.grad_norm), ("lr", out.lr)):
            if value is not None:
                self._line(self._steps, name).add(event.step, value)

    def _epoch(self, record: Record) -> None:
        for name, value in record.items():
            if name != "epoch" and isinstance(value, int | float):
                self._line(self._epochs, name).add(record["epoch"], number(value))
        self.state.last, self.state.epoch, self.state.done = record, record["epoch"], 0
        self.state.rate = record.get("lr")

    def _resume(self, event: Resumed) -> None:
        for record in event.history:
            self._epoch(record)
        judged = [record for record in event.history if math.isfinite(number(record.get("valid_loss")))]
        self.state.best = min(judged, key=lambda record: record["valid_loss"], default=None)
        self.state.epoch, self.state.done, self.first = event.epoch, event.done, event.step - event.done + 1
        self.state.began = self.state.share or 0.0

    @staticmethod
    def _line(lines: dict[str, Buckets], name: str) -> Buckets:
        if name not in lines:
            lines[name] = Buckets()
        return lines[name]

    def by_step(self) -> list[dict[str, Any]]:
        """The curves by step."""
        return telling([_told("step", name, line) for name, line in self._steps.items()])

    def by_epoch(self) -> list[dict[str, Any]]:
        """The curves by epoch."""
        return telling([_told("epoch", name, line) for name, line in self._epochs.items()])


def telling(curves: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the curve of a learning rate that never changed, which is told in words."""
    return [curve for curve in curves if curve["name"] != "lr" or len({*curve["y"]}) > 1]


def _told(by: str, name: str, line: Buckets) -> dict[str, Any]:
    """A curve as the board tells it."""
    means = line.means() if by == "step" else []
    points = [(x, y) for _, x, y in line.drawn()]
    return {"name": name, "by": by, **figure_of(name), **_axes(points), "trend": _axes(means) if means else None}


def _axes(points: list[tuple[float, float]]) -> dict[str, list[Any]]:
    return {"x": [short(x) for x, _ in points], "y": [short(y) for _, y in points]}
