"""A run as files that other programs read: tables, one JSON object, TensorBoard's events."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

from truestep.store.atomic import make_folder, write_parts, write_text
from truestep.store.rundb import RunRecord, read_run, read_scalars, scalar_names
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
    database = folder / DATABASE
    run = read_run(database)
    scalars = {
        name: {int(step): float(value) for step, value in zip(*read_scalars(database, name), strict=True)}
        for name in scalar_names(database)
    }
    make_folder(into)
    return [file for each in formats for file in FORMATS[each](run, scalars, folder.resolve().name, into)]


def _csv(run: RunRecord, scalars: Scalars, name: str, into: Path) -> list[Path]:
    steps = [{"step": step, **values} for step, values in _by_step(scalars)]
    files = {into / "epochs.csv": run.epochs, into / "steps.csv": steps}
    for file, rows in files.items():
        write_text(file, _table(rows))
    return list(files)


def _json(run: RunRecord, scalars: Scalars, name: str, into: Path) -> list[Path]:
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
    write_text(into / "run.json", json.dumps(strict(found), allow_nan=False, indent=1) + "\n")
    return [into / "run.json"]


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


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """Comma-separated, under the names in the order in which they first come up; a float in all its digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
