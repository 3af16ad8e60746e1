"""The run folder: scalars and events in one SQLite file, the best weights as safetensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from truestep.core.errors import TruestepError
from truestep.fit.events import Ended, EpochEnded, Event, Resumed, Said, Started, Stepped
from truestep.store.atomic import make_folder
from truestep.store.rundb import RunDB, read_run
from truestep.store.runs import DATABASE, WEIGHTS
from truestep.store.weights import save_weights


def vacant(folder: Path) -> Path:
    """The folder itself where it holds no run yet, else the first of its name with a number behind that does not."""
    found, number = folder, 1
    while _holds_run(found):
        number += 1
        found = folder.with_name(f"{folder.name}-{number}")
    return found


def _holds_run(folder: Path) -> bool:
    if not (folder / DATABASE).exists():
        return (folder / WEIGHTS).exists()
    try:
        return bool(read_run(folder / DATABASE).epochs)
    except TruestepError:  # not a record of ours: the recorder will say so, and leave it as it is
        return False


class Recorder:
    """An observer that writes a run down. What goes wrong with the folder is said once and costs the run nothing."""

    wants_steps = True

    def __init__(self, folder: Path, weights: Callable[[], Mapping[str, Tensor]], say: Callable[[str], None]) -> None:
        make_folder(folder)
        self.folder, self._weights, self._say = folder, weights, say
        self.database = RunDB(folder / DATABASE, say)

    def __call__(self, event: Event) -> None:
        """Write down one event."""
        if isinstance(event, Stepped):
            self._step(event)
        elif isinstance(event, EpochEnded):
            self.database.epoch(int(event.record["epoch"]), dict(event.record))
            if event.best:
                self._keep()
        elif isinstance(event, Started):
            self.database.config(event.settings)
        elif isinstance(event, Resumed):  # the record may be lost, or end before the checkpoint
            for record in event.history:
                self.database.epoch(int(record["epoch"]), dict(record))
            if self._weights():
                self._keep()
        elif isinstance(event, Said):
            self.database.event("note", event.text)
        elif isinstance(event, Ended):
            if event.reason:
                self.database.event("end", event.reason)
            self.database.status(event.status)
            self.database.close()

    def _step(self, event: Stepped) -> None:
        out = event.out
        if out.skipped:
            self.database.event("skipped", out.reason)
            return
        rows = [(event.step, "train_loss", out.loss), (event.step, "grad_norm", out.grad_norm)]
        if out.lr is not None:
            rows.append((event.step, "lr", out.lr))
        self.database.scalars(rows)

    def _keep(self) -> None:
        try:
            save_weights(self.folder / WEIGHTS, self._weights())
        except (TruestepError, OSError) as error:
            self._say(str(error))
