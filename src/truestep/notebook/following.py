"""A run folder that is watched from a notebook, whoever writes it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

from truestep.board.curves import number
from truestep.board.facts import best_of, part_facts, run_facts
from truestep.board.follow import Followed
from truestep.board.shelf import ODD
from truestep.core.errors import ConfigError, DataError
from truestep.fit.events import Ended, EpochEnded, Said
from truestep.fit.run import Run
from truestep.notebook.picture import Picture, telling
from truestep.notebook.state import State, facts
from truestep.notebook.widget import Widget
from truestep.store.rundb import RunRecord, read_run
from truestep.store.runs import DATABASE, list_runs, runs_root

POINTS = 600  # of one curve
PERIOD = 1.0  # seconds between two looks
PATIENCE = 10  # seconds of rest for each second of looking
TRIES = 60  # looks in a row that may fail before nobody looks any more


def newest() -> Widget:
    """The newest run under the usual folder."""
    root = runs_root()
    found = list_runs(root, lambda sentence: None)
    if not found:
        raise DataError(f"there is no run in {root}: give the folder of one, ts.notebook.live('runs/name')")
    return follow(found[0].folder)


def of_run(run: Any) -> Widget:
    """A run that `fit` has returned: its folder, or without one its history."""
    if not isinstance(run, Run):
        raise ConfigError(
            f"live shows a run folder or a run, and not {type(run).__name__}: ts.notebook.live('runs/name')."
        )
    if run.folder is not None:
        return follow(run.folder)
    if not run.history:
        raise ConfigError("there is nothing to show: no epoch of this run ended.")
    picture = Picture()
    best = None if run.best is None else run.best["epoch"]
    for sentence in run.notes:
        picture.see(Said(sentence))
    for record in run.history:
        picture.see(EpochEnded(record, record["epoch"] == best))
    picture.see(Ended("stopped" if run.stopped else "finished", run.stopped))
    picture.state.seconds = run.seconds
    widget = Widget()
    widget.state, widget.facts = picture.state, facts(picture.state)
    widget.epochs = picture.by_epoch()
    return widget


def follow(folder: str | os.PathLike[str]) -> Widget:
    """The run in `folder`, or of that name among the others, watched by a thread until it has ended."""
    place = Path(folder).expanduser()
    named = runs_root() / place
    follower = Follower((place if (place / DATABASE).exists() or not (named / DATABASE).exists() else named).absolute())
    follower.look()
    if follower.widget.state.running:
        threading.Thread(target=follower.watch, name="truestep live", daemon=True).start()
    return follower.widget


class Follower:
    """Keeps a widget as the run in a folder is."""

    def __init__(self, folder: Path) -> None:
        if not (folder / DATABASE).exists():
            raise DataError(f"there is no run in {folder}: give the folder that fit(run_dir=...) writes")
        self.folder, self._followed = folder, Followed()
        self.widget = Widget(self._part)

    def _part(self, by: str, first: float, last: float) -> list[dict[str, Any]]:
        return part_facts(self.folder, self._followed, by, first, last)["curves"]

    def look(self) -> None:
        """Tell the widget what is there now; raises `DataError`."""
        try:
            self._look()
        except DataError:
            raise
        except ODD as failure:
            raise DataError(
                f"what {self.folder} records cannot be shown ({type(failure).__name__}: {failure})"
            ) from None

    def _look(self) -> None:
        told = run_facts(self.folder, self._followed, most=POINTS)
        state = state_of(read_run(self.folder / DATABASE), told)
        widget = self.widget
        with widget.hold_sync():
            widget.steps = telling([curve for curve in told["curves"] if curve["by"] == "step"])
            widget.epochs = telling([curve for curve in told["curves"] if curve["by"] == "epoch"])
            widget.state, widget.facts = state, facts(state)

    def watch(self) -> None:
        """Look again and again, until the run has ended or the widget is closed."""
        failed, cost = 0, 0.0
        while self.widget.state.running and failed < TRIES and self.widget.comm is not None:
            time.sleep(max(PERIOD, PATIENCE * cost))
            start = time.monotonic()
            try:
                self.look()
                failed = 0
            except DataError as failure:
                failed += 1
                self._say(f"This is what was last read of the run: {failure}.")
            cost = time.monotonic() - start

    def _say(self, sentence: str) -> None:
        self.widget.facts = facts(self.widget.state) | {"notes": [*self.widget.state.said(), sentence]}


def state_of(run: RunRecord, told: dict[str, Any]) -> State:
    """How a run stands by its record, and by what is told of its curves."""
    epochs, per_epoch = (_whole(run.config.get(name)) for name in ("epochs", "steps_per_epoch"))
    place, last = best_of(run.epochs), run.epochs[-1] if run.epochs else None
    step = _whole(told["step"])
    ended = sum(_whole(record.get("steps")) + _whole(record.get("skipped")) for record in run.epochs)
    running = run.status in ("running", "preparing")
    under_way = running and step > ended
    rates = [
        curve["y"][-1] for curve in told["curves"] if (curve["by"], curve["name"]) == ("step", "lr") and curve["y"]
    ]
    return State(
        status=run.status,
        epoch=len(run.epochs) + under_way,
        epochs=epochs,
        done=max(0, step - ended),
        per_epoch=per_epoch,
        seconds=run.seconds,
        rate=rates[0] if rates else None,
        last=last if last is not None and number(last.get("epoch")) > 0 else None,
        best=None if place is None else run.epochs[place],
        reason="\n".join(event.text for event in run.events if event.kind == "end") if not running else "",
        notes=[event.text for event in run.events if event.kind == "note"],
    )


def _whole(value: Any) -> int:
    """A number of steps or epochs; 0 where it is none."""
    found = number(value)
    return int(found) if 0 <= found < 2**53 else 0
