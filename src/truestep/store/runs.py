"""Run folders: made under names of their own, and listed."""

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from truestep.core.errors import DataError
from truestep.store.atomic import make_folder
from truestep.store.rundb import RunRecord, read_run, say_on_stderr

DATABASE = "run.sqlite"
WEIGHTS = "best.safetensors"
FIGURE = "curves"  # .png and .svg
STUDY = "study.json"  # in the folder of a study, which is no run


@dataclass(frozen=True)
class RunInfo:
    """One run in a list: how many epochs are done, the record of the last one, the least finite `valid_loss`.

    `status` is as in `RunRecord`: a run whose process died is "interrupted". `recipe` and `data` are from its settings.
    """

    folder: Path
    name: str
    started: str
    seconds: float
    status: str
    epochs: int
    best_valid_loss: float | None
    last: Mapping[str, Any]
    recipe: str | None
    data: str | None


def runs_root(root: str | os.PathLike[str] | None = None) -> Path:
    """The folder that holds the runs: `root`, or else the variable TRUESTEP_RUNS, or else "runs"."""
    return Path(root or os.environ.get("TRUESTEP_RUNS") or "runs")


def new_run_folder(root: str | os.PathLike[str] | None, name: str) -> Path:
    """Makes and returns a folder such as runs/lenet5-20261120-235337 (local time), which no other process gets too.

    Signs of `name` that a folder's name had better not have become dashes. Raises `StoreError`.
    """
    slug = re.sub(r"[^\w.-]+", "-", name)[:60].strip(".-") or "run"
    base = runs_root(root) / f"{slug}-{datetime.now():%Y%m%d-%H%M%S}"
    folder, number = base, 1
    while not make_folder(folder):
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    return folder


def list_runs(root: str | os.PathLike[str] | None = None, say: Callable[[str], None] = say_on_stderr) -> list[RunInfo]:
    """The runs under `root`, newest first; `say` gets one sentence for each folder that is no run or is damaged.

    The folder of a study is passed over. No runs, or no such folder: an empty list. Raises `DataError` when `root` is
    there and cannot be listed.
    """
    found = []
    for folder in run_folders(root):
        try:
            found.append(run_info(folder, read_run(folder / DATABASE)))
        except DataError as failure:
            say(f"skipped {folder.name}: {failure}")
    return sorted(found, key=lambda run: (run.started, run.name), reverse=True)


def run_folders(root: str | os.PathLike[str] | None = None) -> list[Path]:
    """The folders under `root` that hold a run, or might, by name; those of studies are passed over.

    No such folder: an empty list. Raises `DataError` when `root` is there and cannot be listed.
    """
    return [folder for folder in _folders(root) if not _is_study(folder)]


def study_folders(root: str | os.PathLike[str] | None = None) -> list[Path]:
    """The folders of studies under `root`, by name; otherwise as `run_folders`."""
    return [folder for folder in _folders(root) if _is_study(folder)]


def _folders(root: str | os.PathLike[str] | None) -> list[Path]:
    place = runs_root(root)
    try:
        return sorted(each for each in place.iterdir() if each.is_dir() and not each.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as failure:
        raise DataError(
            f"{place} cannot be listed ({failure.strerror}): give the folder that holds the runs"
        ) from failure


def _is_study(folder: Path) -> bool:
    try:
        return (folder / STUDY).exists() and not (folder / DATABASE).exists()
    except OSError:  # nobody may look into it: whoever reads it says so
        return False


def run_info(folder: Path, run: RunRecord) -> RunInfo:
    """One run as it stands in a list."""
    losses = [record.get("valid_loss") for record in run.epochs]
    finite = [loss for loss in losses if isinstance(loss, int | float) and math.isfinite(loss)]
    return RunInfo(
        folder=folder,
        name=folder.name,
        started=run.started,
        seconds=run.seconds,
        status=run.status,
        epochs=len(run.epochs),
        best_valid_loss=min(finite, default=None),
        last=run.epochs[-1] if run.epochs else {},
        recipe=_text(run.config.get("recipe")),
        data=_text(run.config.get("data")),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
