"""`truestep runs`: what was trained, the newest first."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path
from typing import Any

import truestep as ts
from truestep.cli import CLEAN
from truestep.cli.options import whole
from truestep.cli.show import figure, say, show_json, show_table
from truestep.store.runs import RunInfo, list_runs, runs_root

HEADS = ("name", "when", "status", "epochs", "best\nvalid loss", "last valid\naccuracy", "folder")


def add_to(commands: Any) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser("runs", help="list what was trained", description="List runs, the newest first.")
    parser.add_argument("--root", metavar="DIR", help="where the runs are (default: $TRUESTEP_RUNS, or runs)")
    parser.add_argument("--limit", metavar="N", type=whole(1), help="how many to list")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(parser=parser)


def run(found: argparse.Namespace) -> int:
    """List the runs."""
    root = runs_root(found.root).expanduser()
    if found.root is not None and not root.is_dir():
        raise ts.ConfigError(f"there is no folder {root}: give the folder that holds the runs, or leave --root out.")
    runs = list_runs(root, say)[: found.limit]
    if found.json:
        show_json({"root": root, "runs": [_facts(run) for run in runs]})
    elif runs:
        show_table(
            HEADS,
            [_row(run) for run in runs],
            words=("name", "when", "status", "folder"),
            spare=("folder", "when", "status"),
        )
    else:
        say(f"there are no runs in {root} yet: truestep train lenet5 makes one.")
    return CLEAN


def _facts(run: RunInfo) -> dict[str, Any]:
    return {
        "name": run.name,
        "started": run.started,
        "seconds": run.seconds,
        "status": run.status,
        "epochs": run.epochs,
        "best_valid_loss": run.best_valid_loss,
        "valid_accuracy": run.last.get("valid_accuracy"),
        "recipe": run.recipe,
        "data": run.data,
        "folder": Path(run.folder),
    }


def _row(run: RunInfo) -> list[str]:
    return [
        run.name,
        f"{datetime.fromisoformat(run.started).astimezone():%Y-%m-%d %H:%M}",
        run.status,
        str(run.epochs or "-"),  # a lesson has none
        figure("loss", run.best_valid_loss),
        figure("accuracy", run.last.get("valid_accuracy")),
        str(run.folder),
    ]
