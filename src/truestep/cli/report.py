"""What `truestep train` says at the end: every epoch, the best one, what was learned, where everything is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import truestep as ts
from truestep.cli.show import figure, show_history
from truestep.store.runs import DATABASE, WEIGHTS


def facts(
    run: ts.Run, asked: Mapping[str, Any], learned: str, figures: Sequence[Path], notes: Sequence[str]
) -> dict[str, Any]:
    """A run as one JSON object."""
    return {
        **asked,
        "history": list(run.history),
        "best": run.best,
        "learned": learned,
        "stopped": run.stopped,
        "notes": [*notes, *run.notes],
        "steps": run.steps,
        "seconds": run.seconds,
        "folder": run.folder,
        "database": run.folder and run.folder / DATABASE,
        "weights": run.folder and run.best and run.folder / WEIGHTS,
        "figures": list(figures),
    }


def report(run: ts.Run, learned: str, figures: Sequence[Path]) -> None:
    """The same for a person, on stdout."""
    best = None if run.best is None else run.best.epoch
    show_history(run.history, best)
    lines = [("learned", learned), *_results(run), *_places(run, figures)]
    for name, words in lines:
        if words:
            print(f"{name:<14} {words}")


def _results(run: ts.Run) -> list[tuple[str, str]]:
    if not run.history or run.best is None:
        return []
    shown = "valid_accuracy" if "valid_accuracy" in run.best else "valid_loss"
    last, best = (figure(shown, record[shown]) for record in (run.history[-1], run.best))
    name = shown.replace("valid_", "test ")
    return [
        ("best epoch", f"{run.best.epoch} of {len(run.history)}, with the least validation loss"),
        (name, f"{last} after the last epoch, {best} with the weights of the best"),
    ]


def _places(run: ts.Run, figures: Sequence[Path]) -> list[tuple[str, str]]:
    if run.folder is None:
        return []
    weights = "" if run.best is None else str(run.folder / WEIGHTS)
    found = [("run folder", str(run.folder)), ("database", str(run.folder / DATABASE)), ("best weights", weights)]
    return [*found, *(("figure", str(path)) for path in figures)]
