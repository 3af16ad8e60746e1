"""What tensors held that a program read as lists or arrays: scores are made of that, which torch sees no more."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from truestep.check.events import Op
from truestep.check.looks import plain
from truestep.check.site import Site

if TYPE_CHECKING:
    from truestep.check.recorder import Recorder

LEAST, LARGEST = 2, 1 << 12
MOST = 1 << 20
"""Numbers of a run that are kept."""
READ = {"numpy", "tolist", "__array__"}


class Contents:
    """Writes an `Op` "told" for each such read: the tensor's number and shape, and its numbers."""

    def __init__(self) -> None:
        self._kept = 0

    def take(self, recorder: Recorder, how: str, tensor: Tensor, place: Site | None = None) -> None:
        """Keep what a program has just read."""
        if how not in READ or not plain(tensor) or not LEAST <= tensor.numel() <= LARGEST or tensor.is_complex():
            return
        self._kept += tensor.numel()
        if self._kept <= MOST and not recorder.full:
            held = array("d", tensor.detach().double().cpu().contiguous().numpy().tobytes())
            told = (recorder.numbers.of(tensor), tuple(tensor.shape), tensor.is_floating_point())
            recorder.emit(
                Op, place, name="told", args=told, words={"numbers": held}, out=(), grad=torch.is_grad_enabled()
            )  # fmt: skip
