"""The observer that shows a run of `fit` in a notebook."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

from truestep.fit.events import Ended, Event, Observer, Resumed, Said, Started, Stepped
from truestep.fit.progress import Progress
from truestep.notebook.picture import Picture
from truestep.notebook.state import facts
from truestep.notebook.widget import Widget

PERIOD = 0.25  # seconds between two tellings: at most four a second
PATIENCE = 30  # seconds of training for each second of telling
FINENESS = 200  # parts of the time so far, of which none is too short for the curves: the eye sees no finer
MOST = 8  # pictures of one cell; the runs beyond them are told in lines

_cell: tuple[Any, int] = (None, 0)  # which was the last one that trained, and how many pictures it has


def training(shell: Any) -> Observer:
    """Who shows a run in the cell that is running: a picture, or lines where the cell has many pictures already."""
    global _cell
    cell = getattr(shell, "execution_count", None)
    shown = _cell[1] if cell == _cell[0] else 0
    _cell = cell, shown + 1
    return Training(shell) if shown < MOST else Progress(True)


class Training:
    """An observer that keeps a widget up; where that fails it goes on in lines, which no run is the worse for."""

    curious = False
    wants_steps = True

    def __init__(self, shell: Any) -> None:
        self.widget, self.picture = Widget(), Picture()
        self._shell, self._name = shell, uuid4().hex
        self._lines: Progress | None = None
        self._next = self._curves = 0.0

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if self._lines is not None:
            self._lines(event)
            return
        self.picture.see(event)
        if isinstance(event, Stepped) and time.monotonic() < self._next:
            return
        try:
            self._show(event)
        except Exception:  # noqa: BLE001 - the connection to the notebook is gone: its reasons are its own
            self._lines = self._in_lines(event)
            self._lines(event)

    def _show(self, event: Event) -> None:
        start = time.monotonic()
        ended = isinstance(event, Ended)
        if ended or start >= self._next:
            self._tell(start, ended)
            end = time.monotonic()
            self._next = end + max(PERIOD, PATIENCE * (end - start))
        if isinstance(event, Started):
            self._publish(update=False)
        elif ended:
            self._publish(update=True)  # what is left where a page has no widgets

    def _in_lines(self, event: Event) -> Progress:
        """Who goes on with `event`, and knows where the run is and what was said."""
        lines, state = Progress(True), self.picture.state
        lines(Started({"epochs": state.epochs, "steps_per_epoch": state.per_epoch}))
        lines(Resumed(self.picture.first - 1, state.epoch, 0, ()))
        for sentence in self.picture.notes[: -1 if isinstance(event, Said) else None]:
            lines(Said(sentence))
        return lines

    def _tell(self, now: float, whole: bool) -> None:
        picture, widget = self.picture, self.widget
        with widget.hold_sync():
            widget.facts = facts(picture.state)
            if whole or now >= self._curves:
                widget.steps, widget.epochs = picture.by_step(), picture.by_epoch()
                self._curves = now + picture.state.seconds / FINENESS
        widget.state = picture.state

    def _publish(self, update: bool) -> None:
        data = self.widget.bundle(lasting=update)
        self._shell.display_pub.publish(data=data, metadata={}, transient={"display_id": self._name}, update=update)
