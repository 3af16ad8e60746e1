"""The process of a rerun: reads what it is to run and to mend, runs it unseen, and writes down what was measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from truestep.check.again import Again, seed
from truestep.cli.script import Program, start
from truestep.store import atomic


def main(folder: str) -> None:
    """Run what `order.json` asks for, and write `told.json` beside it."""
    order = json.loads((Path(folder) / "order.json").read_text(encoding="utf-8"))
    program = Program(order["name"], tuple(order["args"]), order["module"])
    failures: list[str] = []

    def failed(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        failures.append(f"{kind.__name__}: {error}".splitlines()[0][:300])

    sys.excepthook = failed
    seed()
    again = Again(order["orders"], order["most"])
    with again.watching() as seen:
        status = start(program, seen.ended)
    error = failures[0] if failures else f"status {status}" if status else ""
    atomic.write_text(Path(folder) / "told.json", json.dumps(again.told() | {"error": error}))
