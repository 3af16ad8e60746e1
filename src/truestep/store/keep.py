"""The checkpoints of one run in a folder: saved, the old ones dropped, the newest sound one found again."""

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from truestep.core.errors import CheckpointError, ConfigError
from truestep.store.atomic import leftovers, make_folder, remove
from truestep.store.checkpoint import Checkpoint, read, write

_NAME = re.compile(r"step-([0-9]{10,18})(\.unhealthy)?\.safetensors")


class Kept:
    """The checkpoints in `folder`, one file a step; `last` of them are kept.

    A name tells the step and whether the state was healthy: `step-0000001200.safetensors`, or
    `step-0000001200.unhealthy.safetensors`. An unhealthy state therefore never takes the place of a healthy one, and
    the newest healthy one that can be read is kept however many unhealthy ones follow. One process writes to a folder
    at a time; nothing is touched before the first `save`.
    """

    def __init__(self, folder: str | os.PathLike[str], last: int = 3) -> None:
        if last < 1:
            raise ConfigError(f"last is {last}: at least one checkpoint must be kept")
        self.folder = Path(folder)
        self.last = last
        self._swept = False

    def save(self, step: int, tensors: Mapping[str, Tensor], plain: dict[str, Any], healthy: bool = True) -> Path:
        """Writes the state of `step` lastingly, then drops what is too many, and returns the new file.

        A state is healthy when the caller says so and no tensor holds a NaN. Infinities are for the caller to judge:
        masks hold them. Checkpoints of later steps belong to a past that this run has left, and are dropped first.
        Raises `StoreError` when the disk refuses, `CheckpointError` for a state that cannot be held; what was kept
        before is then there as before.
        """
        make_folder(self.folder)
        if not self._swept:
            for left in leftovers(self.folder):  # of writers that were killed
                remove(left)
            self._swept = True
        well = healthy and not any(_has_nan(tensor) for tensor in tensors.values())
        path = self.folder / f"step-{step:010d}{'' if well else '.unhealthy'}.safetensors"
        write(path, tensors, plain, follow=False)
        for each in self._too_many(path, step, well):
            remove(each)
        return path

    def newest(self) -> tuple[Path, Checkpoint, list[str]] | None:
        """The newest healthy checkpoint that can be read, and a sentence for each newer one that was passed over.

        Where no healthy one can be read the newest unhealthy one is taken, and where there is none at all the answer is
        None. Raises `CheckpointError` when there are some and none can be read: a run must not begin anew unasked.
        """
        found = self.paths()
        skipped: list[str] = []
        unhealthy = [path for path in found if _is_unhealthy(path)]
        for path in [*(path for path in found if path not in unhealthy), *unhealthy]:
            try:
                state = read(path)
            except CheckpointError as fault:
                skipped.append(str(fault))
                continue
            newer = [other for other in unhealthy if _step(other) >= _step(path) and path not in unhealthy]
            return path, state, skipped + [f"{other} holds an unhealthy state and is passed over" for other in newer]
        if found:
            raise CheckpointError(f"none of the {len(found)} checkpoints in {self.folder} can be read: {skipped[0]}")
        return None

    def paths(self) -> list[Path]:
        """The files of all checkpoints, sound or not, the latest step first."""
        try:
            found = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        except FileNotFoundError:
            return []
        except OSError as failure:
            raise CheckpointError(
                f"{self.folder} cannot be listed ({failure.strerror}): give the folder that holds the checkpoints"
            ) from failure
        return sorted(found, key=lambda path: (-_step(path), _is_unhealthy(path)))

    def _too_many(self, saved: Path, step: int, well: bool) -> list[Path]:
        """What may go now that `saved` is on the disk; the newest healthy one that can be read never may."""
        others = [path for path in self.paths() if path != saved]
        past = [path for path in others if _step(path) <= step]
        surplus = [*past, *(path for path in others if path not in past)][self.last - 1 :]
        if well:
            return surplus
        needed: list[Path] = []  # down to the first that can be read: what cannot be just now may be tomorrow
        for path in (path for path in others if not _is_unhealthy(path)):
            needed.append(path)
            with contextlib.suppress(CheckpointError):
                read(path)
                break
        return [path for path in surplus if path not in needed]


def _step(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    assert found is not None
    return int(found[1])


def _is_unhealthy(path: Path) -> bool:
    return path.name.endswith(".unhealthy.safetensors")


def _has_nan(tensor: Tensor) -> bool:
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return False
    wide = tensor.float() if tensor.dtype.itemsize == 1 else tensor  # the narrow types know no sum
    return bool(wide.sum().isnan()) and bool(wide.isnan().any())  # a sum is cheap, and NaN where any number is
