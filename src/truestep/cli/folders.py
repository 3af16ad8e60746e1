"""The folder of a run: made for it before it starts, and taken back where it never does."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import truestep as ts
from truestep.core.ranks import Ranks
from truestep.fit.resume import folder_of, look
from truestep.store.atomic import make_folder
from truestep.store.keep import Kept
from truestep.store.rundb import RunDB, read_run
from truestep.store.runs import DATABASE, new_run_folder, runs_root

PREPARING = "preparing"  # how a run stands that `fit` has not begun


def claim(run_dir: str | None, root: str | None, name: str, config: Mapping[str, Any]) -> Path:
    """The folder `run_dir`, or a new one under `root`, with what was asked for written down.

    Raises:
        ConfigError: where the folder holds a run, or nothing can be written in it.
        StoreError: where it cannot be made.
    """
    if run_dir is None:
        folder = new_run_folder(root and Path(root).expanduser(), name)
    else:
        folder = Path(run_dir).expanduser()
        make_folder(folder)
        if (folder / DATABASE).exists():
            raise ts.ConfigError(f"{folder} holds a run already: give --run-dir another folder, or leave it out.")
    with RunDB(folder / DATABASE, lambda _: None) as database:
        database.status(PREPARING)
        database.config(config)
    if database.failure:
        with suppress(OSError):  # or the same command would meet a run there once there is room
            for left in folder.glob(f"{DATABASE}*"):
                if not left.is_symlink():
                    left.unlink()
            folder.rmdir()
        raise ts.ConfigError(f"{folder} cannot hold a run: {database.failure}.")
    return folder


def begun(checkpoint: str, run_dir: str | None, root: str | None) -> Path | None:
    """The folder of the run whose checkpoints these are: `run_dir`, or where it was made under `root`; None without.

    Raises:
        CheckpointError: where there are checkpoints, and none of them can be read.
    """
    found = look(Kept(Path(checkpoint).expanduser()), True, Ranks())
    if found is None:
        return None
    name = folder_of(found)
    folder = Path(run_dir).expanduser() if run_dir else runs_root(root and Path(root).expanduser()) / (name or ".")
    return folder if (folder / DATABASE).exists() else None


def done(folder: Path) -> None:
    """Write down that what `claim` made the folder for has finished."""
    with RunDB(folder / DATABASE):
        pass  # leaving it says so


def give_back(folder: Path) -> None:
    """Remove what `claim` made, where the run never began; a run that began stays, with the reason of its end."""
    with suppress(ts.TruestepError, OSError):
        if read_run(folder / DATABASE).status == PREPARING:
            (folder / DATABASE).unlink()
            folder.rmdir()
