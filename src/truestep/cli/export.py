"""`truestep export`: a run as CSV, JSON and TensorBoard files."""

from __future__ import annotations

import argparse
import difflib
from pathlib import Path
from typing import Any

import truestep as ts
from truestep.cli import CLEAN
from truestep.cli.options import one_of
from truestep.cli.show import say, show_json
from truestep.store.export import FORMATS, export_run
from truestep.store.runs import DATABASE, list_runs, runs_root


def add_to(commands: Any) -> None:
    """Add this command to the parser."""
    told = "Write a run as files that other programs read: tables, one JSON object, TensorBoard's events."
    parser = commands.add_parser("export", help="a run as CSV, JSON and TensorBoard files", description=told)
    parser.add_argument("run", metavar="RUN", nargs="?", help="the name of a run, or its folder (default: the newest)")
    parser.add_argument("--format", metavar="|".join(FORMATS), type=one_of(*FORMATS), help="only this (default: all)")
    parser.add_argument("--to", metavar="DIR", help="where the files go (default: export in the folder of the run)")
    parser.add_argument("--root", metavar="DIR", help="where the runs are (default: $TRUESTEP_RUNS, or runs)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(parser=parser)


def run(found: argparse.Namespace) -> int:
    """Write the files, and say where they are."""
    folder = _folder(found.run, runs_root(found.root).expanduser())
    into = Path(found.to).expanduser() if found.to else folder / "export"
    files = export_run(folder, into, [found.format] if found.format else list(FORMATS))
    if found.json:
        show_json({"run": folder.resolve().name, "files": files})
    else:
        print("\n".join(map(str, files)))
    return CLEAN


def _folder(name: str | None, root: Path) -> Path:
    if name is not None:
        for folder in (root / name, Path(name).expanduser()):
            if (folder / DATABASE).exists():
                return folder
    runs = list_runs(root, say)
    if name is None and runs:
        return runs[0].folder
    if name is None:
        raise ts.ConfigError(f"there are no runs in {root} yet: truestep train lenet5 makes one.")
    near = difflib.get_close_matches(name, [run.name for run in runs], n=1)
    hint = f"did you mean {near[0]}?" if near else "truestep runs lists them."
    raise ts.ConfigError(f"there is no run {name} in {root}, nor a folder of that name that holds one; {hint}")
