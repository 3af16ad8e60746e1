"""Runs that are followed: what is read of a run stays in memory, and of a run under way only what is new is read."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from truestep.board.curves import Curve, number
from truestep.store.following import scalars_after
from truestep.store.rundb import RunRecord, read_run
from truestep.store.runs import DATABASE

POINTS = 12_000_000  # in memory of all runs together, 16 bytes each


class Followed:
    """One run as far as it was read. `key` changes whenever something that was told already is no longer true."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.key = ""
        self.size = 0  # points in memory
        self.curves: dict[tuple[str, str], Curve] = {}  # by "step" or "epoch", and by name
        self._origin: object = None
        self._row = 0
        self._tail = ""

    def read(self, folder: Path) -> RunRecord:
        """Read what is new; raises `DataError`."""
        database = folder / DATABASE
        run = read_run(database)
        self._begin((folder, run.started))
        last, fresh = scalars_after(database, self._row)
        if last < self._row:  # other rows than those that were read
            self._origin = None
            self._begin((folder, run.started))
            last, fresh = scalars_after(database)
        self._row = last
        self._add("step", fresh)
        self._add_epochs(run.epochs)
        self.size = sum(len(curve.steps) for curve in self.curves.values())
        return run

    def last(self, by: str) -> float:
        """The last step or epoch of all curves by it."""
        return max((curve.last for (kind, _), curve in self.curves.items() if kind == by), default=-np.inf)

    def _begin(self, origin: object) -> None:
        if self._origin != origin:  # never read, or another run stands under this name now
            self._origin, self.key = origin, secrets.token_hex(4)
            self.curves, self._row, self._tail = {}, 0, ""

    def _add(self, by: str, fresh: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        before = self.last(by)
        if any(len(steps) and steps.min() <= before for steps, _ in fresh.values()):
            self.key = secrets.token_hex(4)
        for name, (steps, values) in fresh.items():
            self.curves.setdefault((by, name), Curve()).add(steps, values)

    def _add_epochs(self, epochs: list[dict[str, Any]]) -> None:
        """Take the figures of the epochs; after a resume those that were told may have been recorded again."""
        known = self.last("epoch")
        told = [record for record in epochs if number(record.get("epoch")) <= known]
        if repr(told[-1:]) != self._tail:
            self.curves = {key: curve for key, curve in self.curves.items() if key[0] != "epoch"}
            self.key, told = secrets.token_hex(4), []
        fresh = [record for record in epochs[len(told) :] if np.isfinite(number(record.get("epoch")))]
        found = {}
        for name in dict.fromkeys(name for record in fresh for name in record if name != "epoch"):
            own = [record for record in fresh if isinstance(record.get(name), int | float)]
            if own:
                found[name] = tuple(np.array([number(record[key]) for record in own]) for key in ("epoch", name))
        self._add("epoch", found)
        self._tail = repr(epochs[-1:])


class Following:
    """All runs that were looked at lately, within a bound of memory."""

    def __init__(self, most: int = POINTS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, Followed] = OrderedDict()

    def of(self, name: str) -> Followed:
        """The run `name`, new or known; what was not looked at for longest is forgotten where memory is short."""
        with self._lock:
            found = self._runs.setdefault(name, Followed())
            self._runs.move_to_end(name)
            while len(self._runs) > 1 and sum(each.size for each in self._runs.values()) > self._most:
                self._runs.popitem(last=False)
            return found
