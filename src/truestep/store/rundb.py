"""One SQLite file a run: its configuration, scalars, epochs, events and status.

Recording never harms training: what goes wrong is said in one sentence, once, and then the recorder is quiet.
Not-a-number is NULL in the column `scalars.value`, since SQLite has no other place for it, and its own means and
extremes then leave it out; nothing else is ever NULL there. Records are JSON with Python's NaN and Infinity.
"""

import contextlib
import functools
import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import numpy as np

from truestep.core.errors import DataError
from truestep.store import alive
from truestep.store.schema import SCHEMA, check_ours, clean, now, to_json

FLUSH_ROWS = 1000
FLUSH_SECONDS = 2.0
LOCK_SECONDS = 2.0  # the longest that somebody else's lock on the file can hold training up, and only once

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _harmless(method: "Callable[Concatenate[RunDB, _P], None]") -> "Callable[Concatenate[RunDB, _P], None]":
    """Turns every failure of a recorder's method into at most one sentence."""

    @functools.wraps(method)
    def quiet(self: "RunDB", *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except (sqlite3.Error, OSError) as failure:
            self._give_up(failure)
        except Exception as failure:  # noqa: BLE001 - an observer's odd value must not end a run of days
            self._complain(f"something was left out of {self.path}, which cannot hold it ({failure})")

    return quiet


class RunDB:
    """The recorder of one run, for any thread of one process; `say` gets the one sentence when something goes wrong.

    A file that is there already is continued. Closing leaves one ordinary SQLite file without companions. As a context
    manager it notes at the end how the run ended, unless `status` has said so.
    """

    def __init__(self, path: str | os.PathLike[str], say: Callable[[str], None] | None = None) -> None:
        self.path = Path(path).absolute()  # the program may change its folder later
        self._say = say or say_on_stderr
        self.failure = ""  # why nothing more is recorded
        self._said = False
        self._lock = threading.RLock()
        self._scalars: list[tuple[int, str, float]] = []
        self._events: list[tuple[str, str, str]] = []
        self._connection: sqlite3.Connection | None = None
        self._held: int | None = None
        self._running = True
        self._identity = (0, 0)
        self._before = 0.0
        self._opened = time.monotonic()
        self._due = self._opened + FLUSH_SECONDS
        self._open()

    @_harmless
    def scalars(self, rows: Iterable[tuple[int, str, float]]) -> None:
        """Takes (step, name, value) rows into memory; after 1,000 rows or 2 seconds they are committed together.

        A step that is recorded again, as after a resume, counts as it was recorded last.
        """
        if self._connection is None:
            return
        fresh = [(int(step), str(name), float(value)) for step, name, value in rows]
        with self._lock:
            self._scalars += fresh
        self._commit_if_due()

    @_harmless
    def event(self, kind: str, text: str) -> None:
        """Records that something happened now, committed as scalars are: something may happen at every step."""
        if self._connection is None:
            return
        with self._lock:
            self._events.append((now(), clean(kind), clean(text)))
        self._commit_if_due()

    @_harmless
    def flush(self) -> None:
        """Commits what is in memory: it then outlives this process, and a power cut leaves the file sound."""
        if self._scalars or self._events:
            self._commit()

    @_harmless
    def epoch(self, number: int, record: Mapping[str, Any]) -> None:
        """Records one epoch; the same number again replaces it."""
        self._commit("INSERT OR REPLACE INTO epochs VALUES (?, ?)", [(int(number), to_json(dict(record)))])

    @_harmless
    def config(self, mapping: Mapping[str, Any]) -> None:
        """Records settings; what JSON does not know is kept as its text."""
        rows = [(clean(key), to_json(value)) for key, value in mapping.items()]
        self._commit("INSERT OR REPLACE INTO config VALUES (?, ?)", rows)

    @_harmless
    def status(self, text: str) -> None:
        """Records how the run stands: "running" until told otherwise, then "finished" or the reason why not."""
        self._running = text == "running"
        self._commit("UPDATE status SET text = ?", [(clean(text),)])

    @_harmless
    def close(self) -> None:
        """Commits what is in memory and leaves the file; what is recorded later is dropped without a word."""
        with self._lock:
            self.flush()
            if self._connection is not None:
                with contextlib.suppress(sqlite3.Error):  # a reader is there; the next one to leave tidies up
                    self._connection.execute("PRAGMA busy_timeout = 0")
                    self._connection.execute("PRAGMA journal_mode = DELETE")
            self._leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._running:
            failed = (
                "interrupted" if isinstance(error, KeyboardInterrupt) else f"failed: {type(error).__name__}: {error}"
            )
            self.status("finished" if error is None else failed)
        self.close()

    @_harmless
    def _open(self) -> None:
        self._connection = sqlite3.connect(self.path, timeout=LOCK_SECONDS, check_same_thread=False)
        check_ours(self._connection)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(SCHEMA)
        self._held = alive.hold(self.path.parent)
        held = int(self._held is not None)
        self._identity = _identity(self.path)
        with self._connection:
            self._connection.execute("INSERT OR IGNORE INTO status VALUES (1, 'running', ?, 0, ?)", (now(), held))
            self._connection.execute("UPDATE status SET text = 'running', held = ?", (held,))
        self._before = self._connection.execute("SELECT seconds FROM status").fetchone()[0]

    def _commit_if_due(self) -> None:
        if len(self._scalars) + len(self._events) >= FLUSH_ROWS or time.monotonic() >= self._due:
            self._commit()

    def _commit(self, statement: str = "", rows: Iterable[tuple[Any, ...]] = ()) -> None:
        """Commits what is in memory, and `rows` by `statement`, in one transaction."""
        with self._lock:
            connection = self._connection
            if connection is None:
                return
            if _identity(self.path) != self._identity:  # SQLite would go on writing into a file that nobody can open
                raise FileNotFoundError(None, "the file was moved or deleted")
            try:
                with connection:
                    connection.executemany("INSERT INTO scalars VALUES (?, ?, ?)", self._scalars)
                    connection.executemany("INSERT INTO events VALUES (?, ?, ?)", self._events)
                    if statement:
                        connection.executemany(statement, rows)
                    seconds = self._before + time.monotonic() - self._opened
                    connection.execute("UPDATE status SET seconds = ?", (seconds,))
            except Exception:
                self._forget()  # they would fail again; after Ctrl-C they are kept for the next commit
                raise
            self._forget()
            self._due = time.monotonic() + FLUSH_SECONDS

    def _give_up(self, failure: Exception) -> None:
        reason = getattr(failure, "strerror", None) or failure
        self.failure = f"{self.path} cannot be written ({reason})"
        self._complain(f"{self.failure}: training goes on, nothing more of it is recorded")
        with self._lock:
            self._leave()

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        held, self._held = self._held, None
        self._forget()
        alive.release(held)
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _forget(self) -> None:
        self._scalars.clear()
        self._events.clear()

    def _complain(self, sentence: str) -> None:
        if not self._said:
            self._said = True
            with contextlib.suppress(Exception):  # a closed terminal must not end the training either
                self._say(sentence)


@dataclass(frozen=True)
class Event:
    """Something that happened during a run, at a UTC time in ISO form."""

    time: str
    kind: str
    text: str


@dataclass(frozen=True)
class RunRecord:
    """What one run left on disk; `started` is a UTC time in ISO form, `seconds` the time worked on it, pauses left out.

    `status` is "running", "finished", "interrupted" (its process is gone without a word) or what the run itself said.
    """

    config: Mapping[str, Any]
    epochs: list[dict[str, Any]]
    status: str
    events: list[Event]
    started: str
    seconds: float


def read_run(path: str | os.PathLike[str]) -> RunRecord:
    """Reads all but the scalars of a run, also while it is being written; raises `DataError`."""
    with opened(path) as connection:
        connection.execute("BEGIN")  # one moment for all that is read
        config = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM config")}
        epochs = [dict(json.loads(text)) for (text,) in connection.execute("SELECT record FROM epochs ORDER BY epoch")]
        events = [Event(*row) for row in connection.execute("SELECT time, kind, text FROM events ORDER BY rowid")]
        status, started, seconds, held = connection.execute(
            "SELECT text, started, seconds, held FROM status"
        ).fetchone()
        datetime.fromisoformat(started)
        if status == "running" and held and not alive.is_held(Path(path).absolute().parent):
            status = "interrupted"
        return RunRecord(config, epochs, str(status), events, started, float(seconds))


def read_scalars(path: str | os.PathLike[str], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads one scalar as (steps, values), int64 and float64 of shape (n,), by rising step; raises `DataError`."""
    query = "SELECT step, value, MAX(rowid) FROM scalars WHERE name = ? GROUP BY step ORDER BY step"
    with opened(path) as connection:
        rows = connection.execute(query, (name,)).fetchall()
        if not rows:
            known = ", ".join(scalar_names(path)) or "none yet"
            raise DataError(f"{os.fspath(path)} has no scalar {name!r}: it has {known}")
        return np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.float64)


def scalar_names(path: str | os.PathLike[str]) -> list[str]:
    """The names of the scalars of a run, in alphabetical order; raises `DataError`."""
    with opened(path) as connection:
        return [each for (each,) in connection.execute("SELECT DISTINCT name FROM scalars ORDER BY name")]


def say_on_stderr(sentence: str) -> None:
    """Where a sentence goes when nobody else wants it; stdout is for results."""
    if sys.stderr is not None:
        sys.stderr.write(sentence + "\n")


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write; whatever is wrong with the file becomes one `DataError`."""
    name, file = os.fspath(path), Path(path).absolute()
    try:
        if not file.is_file():
            raise DataError(f"there is no run at {name}: give the path of a run.sqlite")
        with contextlib.closing(
            sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=LOCK_SECONDS)
        ) as connection:
            check_ours(connection, empty=False)
            yield connection
    except DataError:
        raise
    except (sqlite3.Error, OSError, ValueError, TypeError, OverflowError, RecursionError) as failure:
        raise DataError(
            f"{name} cannot be read as a run ({failure}): it is damaged or not written by truestep"
        ) from failure


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
