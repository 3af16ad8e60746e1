"""The first numbers of what a model is given in training, and of what its losses compare, for rules about sequences.

Whether targets are the inputs one step on cannot be told of digests: the two hold different rows.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from truestep.check.events import Op
from truestep.check.looks import plain

if TYPE_CHECKING:
    from truestep.check.recorder import Recorder

FIRST, MOST = 256, 100
"""Numbers of a tensor, and tensors of a run."""


class Leading:
    """Writes an `Op` "leading" for each of the first tensors: its number, version and shape, and its first numbers."""

    def __init__(self) -> None:
        self._left = MOST

    def take(self, recorder: Recorder, tensor: Tensor) -> None:
        """Take the first numbers of a tensor of sequences, or of the targets of one."""
        numbers = plain(tensor) and not tensor.is_complex() and not tensor.is_inference() and 0 < tensor.dim() < 4
        if not self._left or not recorder.close or not torch.is_grad_enabled() or not numbers:
            return
        self._left -= 1
        first = tensor.detach()[: FIRST // max(tensor[0].numel(), 1) + 1].reshape(-1)[:FIRST].double().cpu()
        told = recorder.numbers.of(tensor), tensor._version, tuple(tensor.shape)
        held = {"first": array("d", first.contiguous().numpy().tobytes())}
        recorder.emit(Op, name="leading", args=told, words=held, out=(), grad=True)
