"""What does recording cost a training step? Microseconds a step for the run database and for two plain ways to log.

Prints one JSON line a measurement on stdout and a table on stderr. Every flush is in the figures; `worst_ms` is the
longest that any single step had to wait. The ways take turns, and the median over the rounds is reported.
"""

import argparse
import json
import math
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from truestep.store.rundb import RunDB

NAMES = [f"scalar_{number}" for number in range(10)]
Log = Callable[[int, int], None]


def use_rundb(folder: Path) -> tuple[Log, Callable[[], None]]:
    db = RunDB(folder / "run.sqlite")
    return lambda step, rows: db.scalars([(step, name, 0.5) for name in NAMES[:rows]]), db.close


def use_text(folder: Path) -> tuple[Log, Callable[[], None]]:
    file = (folder / "log.csv").open("w")

    def log(step: int, rows: int) -> None:
        for name in NAMES[:rows]:
            file.write(f"{step},{name},{0.5}\n")
        file.flush()

    return log, file.close


def use_plain_sqlite(folder: Path) -> tuple[Log, Callable[[], None]]:
    connection = sqlite3.connect(folder / "plain.sqlite")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE scalars (step INTEGER, name TEXT, value REAL)")

    def log(step: int, rows: int) -> None:
        with connection:
            connection.executemany("INSERT INTO scalars VALUES (?, ?, ?)", [(step, name, 0.5) for name in NAMES[:rows]])

    return log, connection.close


WAYS = {
    "truestep": use_rundb,
    "text file, flushed every step": use_text,
    "SQLite, a commit every step": use_plain_sqlite,
}


def measure(way: str, rows: int, steps: int) -> dict[str, float]:
    """Wall and processor time a step in microseconds, and the longest single step in milliseconds, closing included."""
    with tempfile.TemporaryDirectory() as name:
        log, close = WAYS[way](Path(name))
        worst, began, used = 0.0, time.perf_counter(), time.process_time()
        for step in range(steps):
            start = time.perf_counter()
            log(step, rows)
            worst = max(worst, time.perf_counter() - start)
        close()
        wall, used = time.perf_counter() - began, time.process_time() - used
        size = sum(file.stat().st_size for file in Path(name).iterdir())
    return {
        "wall_us": wall / steps * 1e6,
        "cpu_us": used / steps * 1e6,
        "worst_ms": worst * 1e3,
        "bytes_a_row": size / steps / rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    machine = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "machine": platform.machine()}
    print(
        f"{'way':32}{'rows a step':>12}{'wall us':>10}{'cpu us':>10}{'worst ms':>10}{'bytes a row':>13}",
        file=sys.stderr,
    )
    for rows in (1, 3, 10):
        rounds = [{way: measure(way, rows, options.steps) for way in WAYS} for _ in range(options.rounds)]
        for way in WAYS:
            found = {key: statistics.median(each[way][key] for each in rounds) for key in rounds[0][way]}
            found = {key: round(value, 3 - math.floor(math.log10(value))) for key, value in found.items()}
            shape = {"rows_a_step": rows, "steps": options.steps, "rounds": options.rounds}
            print(json.dumps({"benchmark": "rundb_cost", "way": way, **shape, **found, **machine}), flush=True)
            columns = (
                f"{found['wall_us']:10.2f}{found['cpu_us']:10.2f}{found['worst_ms']:10.2f}{found['bytes_a_row']:13.1f}"
            )
            print(f"{way:32}{rows:12}{columns}", file=sys.stderr)


if __name__ == "__main__":
    main()
