"""A run as files that other programs read: tables, one JSON object, TensorBoard's events."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from truestep.store.atomic import make_folder, write_parts
from truestep.store.following import scalars_after
from truestep.store.rundb import RunRecord, read_run
from truestep.store.runs import DATABASE
from truestep.store.schema import strict
from truestep.store.tfevents import Moment, event_file

Scalars = dict[str, dict[int, float]]  # by name, and then by step


def export_run(folder: Path, into: Path, formats: Sequence[str] = ("csv", "json", "tensorboard")) -> list[Path]:
    """Write the run in `folder` into the folder `into`, which is made where it is missing; return the files.

    | format | files |
    |---|---|
    | csv | `epochs.csv` and `steps.csv`, a row each: all digits, and nothing where nothing was recorded |
    | json | `run.json`: settings, epochs, events, status, and scalars as steps and values; not-a-number is null |
    | tensorboard | `events.out.tfevents.*`: `steps/...` and `epochs/...` |

    Raises:
        DataError: where the folder holds no run, or one that cannot be read.
        StoreError: where the files cannot be written.
    """
    run = read_run(folder / DATABASE)
    scalars = _scalars(folder)
    make_folder(into)
    return [file for each in formats for file in FORMATS[each](run, scalars, folder.resolve().name, into)]


def run_text(folder: Path, file: str) -> Iterator[str]:
    """The text of `epochs.csv`, `steps.csv` or `run.json` of the run in `folder`, in parts and without writing a file.

    Raises:
        DataError: before the first part, where the folder holds no run, or one that cannot be read.
    """
    run = read_run(folder / DATABASE)
    return TEXTS[file](run, {} if file == "epochs.csv" else _scalars(folder), folder.resolve().name)


def _scalars(folder: Path) -> Scalars:
    found: Scalars = {}
    for name, (steps, values) in sorted(scalars_after(folder / DATABASE)[1].items()):
        whole = steps.astype(np.int64)
        own = dict(zip(whole.tolist(), values.tolist(), strict=True))  # recorded again counts as recorded last
        found[name] = own if bool(np.all(np.diff(whole) > 0)) else dict(sorted(own.items()))
    return found


def _csv(run: RunRecord, scalars: Scalars, name: str, into: Path) -> list[Path]:
    return [_written(into / file, run, scalars, name) for file in ("epochs.csv", "steps.csv")]


def _json(run: RunRecord, scalars: Scalars, name: str, into: Path) -> list[Path]:
    return [_written(into / "run.json", run, scalars, name)]


def _written(file: Path, run: RunRecord, scalars: Scalars, name: str) -> Path:
    write_parts(file, (part.encode() for part in TEXTS[file.name](run, scalars, name)))
    return file


def _epochs_csv(run: RunRecord, scalars: Scalars, name: str) -> Iterator[str]:
    return _table(run.epochs, list(dict.fromkeys(name for row in run.epochs for name in row)))


def _steps_csv(run: RunRecord, scalars: Scalars, name: str) -> Iterator[str]:
    rows = ({"step": step, **values} for step, values in _by_step(scalars))
    first = {name: min(values) for name, values in scalars.items()}
    return _table(rows, ["step", *sorted(scalars, key=lambda name: first[name])])


def _run_json(run: RunRecord, scalars: Scalars, name: str) -> Iterator[str]:
    found = {
        "name": name,
        "started": run.started,
        "seconds": run.seconds,
        "status": run.status,
        "config": run.config,
        "epochs": run.epochs,
        "events": [vars(event) for event in run.events],
        "scalars": {each: {"steps": list(of), "values": list(of.values())} for each, of in scalars.items()},
    }
    yield json.dumps(strict(found), allow_nan=False, indent=1) + "\n"


TEXTS: dict[str, Callable[[RunRecord, Scalars, str], Iterator[str]]] = {
    "epochs.csv": _epochs_csv,
    "steps.csv": _steps_csv,
    "run.json": _run_json,
}


def _tensorboard(run: RunRecord, scalars: Scalars, name: str, into: Path) -> list[Path]:
    start = datetime.fromisoformat(run.started).timestamp()
    file = into / f"events.out.tfevents.{int(start)}.{name}"
    write_parts(file, event_file(start, _moments(run, scalars, start)))
    return [file]


FORMATS: dict[str, Callable[[RunRecord, Scalars, str, Path], list[Path]]] = {
    "csv": _csv,
    "json": _json,
    "tensorboard": _tensorboard,
}


def _moments(run: RunRecord, scalars: Scalars, start: float) -> Iterator[Moment]:
    """What was recorded at each step, and of each epoch; of a step no time is kept, so it has that of the start."""
    for step, values in _by_step(scalars):
        yield start, step, {f"steps/{name}": value for name, value in values.items()}
    ends = accumulate((_number(record.get("seconds")) or 0.0 for record in run.epochs), initial=start)
    for place, (record, end) in enumerate(zip(run.epochs, list(ends)[1:], strict=True), 1):
        figures = {name: _number(value) for name, value in record.items() if name != "epoch"}
        step = int(_number(record.get("epoch")) or place)
        yield end, step, {f"epochs/{name}": value for name, value in figures.items() if value is not None}


def _by_step(scalars: Scalars) -> Iterator[tuple[int, dict[str, float]]]:
    for step in sorted(set().union(*scalars.values())):
        yield step, {name: values[step] for name, values in scalars.items() if step in values}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _table(rows: Iterable[dict[str, Any]], names: Sequence[str]) -> Iterator[str]:
    """Comma-separated under `names`, a thousand rows a part; a float in all its digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for number, row in enumerate(rows, 1):
        writer.writerow(row)
        if number % 1000 == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()
