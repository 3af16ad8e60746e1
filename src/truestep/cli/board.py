"""`truestep board`: live pages of what is and was trained, for this machine alone."""

from __future__ import annotations

import argparse
import webbrowser
from typing import Any

import truestep as ts
from truestep.cli import CLEAN, INTERRUPTED
from truestep.cli.options import whole
from truestep.cli.show import say, show_json
from truestep.store.runs import run_folders, runs_root

PORT = 8787


def add_to(commands: Any) -> None:
    """Add this command to the parser."""
    told = "Serve live pages of the runs on this machine, until Ctrl-C; nobody else can reach them."
    parser = commands.add_parser("board", help="live pages of what is and was trained", description=told)
    parser.add_argument("--root", metavar="DIR", help="where the runs are (default: $TRUESTEP_RUNS, or runs)")
    parser.add_argument("--port", metavar="N", type=whole(0), default=PORT, help=f"{PORT}; 0 is any free one")
    parser.add_argument("--open", action="store_true", help="open the browser")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(parser=parser)


def run(found: argparse.Namespace) -> int:
    """Serve until somebody ends it."""
    try:
        from truestep.board.serve import serve
    except ImportError as failure:
        missing = (failure.name or "").partition(".")[0]
        if missing == "truestep":
            raise
        raise ts.ConfigError(f"the board needs {missing}: pip install 'truestep[board]'.") from failure
    root = runs_root(found.root).expanduser()
    if found.root is not None and not root.is_dir():
        raise ts.ConfigError(f"there is no folder {root}: give the folder that holds the runs, or leave --root out.")
    count = len(run_folders(root))

    def begun(address: str) -> None:
        say(f"the board shows {root.absolute()} ({count:,} run{'' if count == 1 else 's'} now); Ctrl-C ends it.")
        if found.json:
            show_json({"address": address, "root": root})
        else:
            print(address, flush=True)
        if found.open and not webbrowser.open(address):
            say("no browser could be opened: open the address yourself.")

    try:
        serve(root, found.port, begun)
    except KeyboardInterrupt:
        say("the board is closed.")
        return INTERRUPTED
    return CLEAN
