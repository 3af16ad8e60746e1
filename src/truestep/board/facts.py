"""What the board tells of a run, as plain data that JSON can hold."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from truestep.board.curves import MOST, number
from truestep.board.follow import Followed
from truestep.board.parts import span
from truestep.board.shelf import Book
from truestep.store.rundb import RunRecord
from truestep.store.runs import run_info
from truestep.store.schema import strict

SIDES = ("train", "valid")


def list_facts(book: Book) -> dict[str, Any]:
    """One run of the list."""
    info = book.info
    return strict(
        {
            "name": info.name,
            "started": info.started,
            "seconds": info.seconds,
            "status": info.status,
            "epochs": info.epochs,
            "planned_epochs": book.planned,
            "best_valid_loss": info.best_valid_loss,
            "valid_accuracy": info.last.get("valid_accuracy"),
            "recipe": info.recipe,
            "data": info.data,
        }
    )


def run_facts(folder: Path, followed: Followed, since: str = "", most: int = MOST) -> dict[str, Any]:
    """One run, with its curves from the mark `since` on, or whole (`anew`) where that mark does not hold any more.

    `mark` is what to ask with the next time. Raises `DataError`.
    """
    with followed.lock:
        run = followed.read(folder)
        after = _after(since, followed.key)
        curves = [
            {"name": name, "by": by, **figure_of(name), **curve.points(after[by] if after else -math.inf, most)}
            | ({"trend": curve.trend()} if by == "step" and (after is None or curve.last > after[by]) else {})
            for (by, name), curve in followed.curves.items()
        ]
        best = best_of(run.epochs)
        mark = {by: followed.last(by) for by in ("step", "epoch")}
        written = [str(int(last)) if math.isfinite(last) else "" for last in mark.values()]
        return {
            "name": folder.name,
            "anew": after is None,
            "mark": ".".join([followed.key, *written]),
            "state": state_of(run),
            "status": run.status,
            "seconds": run.seconds,
            "step": int(mark["step"]) if math.isfinite(mark["step"]) else None,
            "words": {
                "seconds": span(run.seconds),
                "step": f"{mark['step']:,.0f}" if math.isfinite(mark["step"]) else "–",
            },
            "epochs": len(run.epochs),
            "best": None if best is None else strict(run.epochs[best].get("epoch")),
            "best_valid_loss": strict(run_info(folder, run).best_valid_loss),
            "last": strict(run.epochs[-1]) if run.epochs else {},
            "curves": [curve for curve in curves if after is None or curve["x"]],
        }


def part_facts(folder: Path, followed: Followed, by: str, first: float, last: float) -> dict[str, Any]:
    """The curves by step or by epoch between two of these, in as many points as the whole of them has else."""
    with followed.lock:
        followed.read(folder)
        parts = {name: curve.part(first, last) for (own, name), curve in followed.curves.items() if own == by}
        curves = [
            {
                "name": name,
                "by": by,
                **figure_of(name),
                **part.points(),
                "trend": part.trend() if by == "step" else None,
            }
            for name, part in parts.items()
        ]
        return {"name": folder.name, "curves": curves}


def best_of(epochs: Sequence[Mapping[str, Any]]) -> int | None:
    """The place of the record with the least finite validation loss."""
    losses = {n: number(record.get("valid_loss")) for n, record in enumerate(epochs)}
    return min((n for n, loss in losses.items() if math.isfinite(loss)), key=losses.__getitem__, default=None)


def state_of(run: RunRecord) -> str:
    """Changes with all that the page of a run shows beside its curves."""
    return f"{run.status} {len(run.epochs)} {len(run.events)} {len(run.config)}"


def figure_of(name: str) -> dict[str, str]:
    """The figure that a scalar belongs to, and the side it shows: `train_loss` is the loss of training."""
    side, line, figure = name.partition("_")
    return {"figure": figure, "side": side} if line and figure and side in SIDES else {"figure": name, "side": ""}


def _after(since: str, key: str) -> dict[str, float] | None:
    """From where on to tell, by step and by epoch; None where all of it must be told."""
    told, *written = since.split(".")
    if told != key or len(written) != 2 or not all(re.fullmatch(r"(-?\d{1,18})?", part, re.ASCII) for part in written):
        return None
    return dict(zip(("step", "epoch"), (float(part) if part else -math.inf for part in written), strict=True))
