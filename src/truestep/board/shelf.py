"""The folder that the board shows: runs and studies, looked up by name, and read again where they changed."""

import contextlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from truestep.core.errors import DataError
from truestep.store.rundb import RunRecord, read_run
from truestep.store.runs import DATABASE, STUDY, RunInfo, run_folders, run_info, study_folders

PAGE = "study.html"  # of a study
ODD = (ArithmeticError, LookupError, TypeError, ValueError)  # a record that is read well may still hold anything
LONG = 1_000_000  # no file that `Kept` writes as a study's settings has so many bytes


@dataclass(frozen=True)
class Book:
    """A run in the list: the losses of its epochs, by side, and how many epochs it was to have, where that is known."""

    info: RunInfo
    losses: dict[str, list[Any]]
    planned: int | None


@dataclass(frozen=True)
class StudyInfo:
    """A study in the list; `page` says whether its folder holds one."""

    name: str
    folder: Path
    variants: int | None
    chunks: int
    changed: float
    page: bool


@dataclass(frozen=True)
class Shelf:
    """Everything in the folder, newest first; `said` has one sentence for each folder that cannot be shown."""

    runs: list[Book]
    studies: list[StudyInfo]
    said: list[str]


class Library:
    """One folder of runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._known: dict[str, tuple[object, Book]] = {}

    def shelf(self) -> Shelf:
        """What is in the folder now; raises `DataError` where it cannot be listed."""
        said: list[str] = []
        with self._lock:
            known, self._known = self._known, {}
            runs = [book for folder in run_folders(self.root) if (book := self._book(folder, known, said.append))]
        studies = [study_info(folder) for folder in study_folders(self.root)]
        runs.sort(key=lambda book: (book.info.started, book.info.name), reverse=True)
        studies.sort(key=lambda study: (study.changed, study.name), reverse=True)
        return Shelf(runs, studies, said)

    def run(self, name: str) -> Path:
        """The folder of the run of that name, found among those that there are; raises `DataError`."""
        for folder in run_folders(self.root):
            if folder.name == name:
                return folder
        raise DataError(f"there is no run {name} in {self.root}: it was moved or deleted, or never there")

    def study(self, name: str) -> StudyInfo:
        """The study of that name; raises `DataError`."""
        for folder in study_folders(self.root):
            if folder.name == name:
                return study_info(folder)
        raise DataError(f"there is no study {name} in {self.root}: it was moved or deleted, or never there")

    def _book(self, folder: Path, known: dict[str, tuple[object, Book]], say: Callable[[str], None]) -> Book | None:
        stamp = _stamp(folder)
        before = known.get(folder.name)
        # A run whose process is killed leaves its file as it was: while it is thought to run, it is looked at again.
        if before is None or before[0] != stamp or before[1].info.status == "running":
            try:
                before = stamp, book_of(folder, read_run(folder / DATABASE))
            except (DataError, *ODD) as failure:
                say(f"{folder.name} is left out: {failure}")
                return None
        self._known[folder.name] = before
        return before[1]


def book_of(folder: Path, run: RunRecord) -> Book:
    """A run as the list shows it."""
    losses = {side: [record.get(f"{side}_loss") for record in run.epochs] for side in ("train", "valid")}
    planned = run.config.get("epochs")
    whole = isinstance(planned, int) and not isinstance(planned, bool)
    return Book(run_info(folder, run), losses, planned if whole else None)


def study_info(folder: Path) -> StudyInfo:
    """A study as the list shows it; what cannot be read of it is not known."""
    variants, chunks, changed = None, 0, 0.0
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        place = folder / STUDY
        changed = place.stat().st_mtime
        if place.stat().st_size < LONG:
            variants = int(json.loads(place.read_text(encoding="utf-8"))["variants"])
    with contextlib.suppress(OSError):
        chunks = len(list(folder.glob("chunk-*.safetensors")))
    return StudyInfo(folder.name, folder, variants, chunks, changed, inside(folder, PAGE) is not None)


def inside(folder: Path, name: str) -> Path | None:
    """The file `name` that lies in `folder` itself; a link that leads out of it is none."""
    try:
        file = (folder / name).resolve(strict=True)
        return file if file.is_file() and file.parent == folder.resolve() else None
    except OSError:
        return None


def _stamp(folder: Path) -> tuple[object, ...]:
    found: list[object] = []
    for name in (DATABASE, f"{DATABASE}-wal"):
        try:
            seen = (folder / name).stat()
            found.append((seen.st_ino, seen.st_mtime_ns, seen.st_size))
        except OSError:
            found.append(None)
    return tuple(found)
