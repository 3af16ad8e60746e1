"""How well pictures and the masks that their predictions are compared with lie upon each other, item by item.

Rules ask of it whether both were turned or cut in the same way. For each item it is told how far picture and mask go
together as they lie, and how far at best where the mask is mirrored and moved to anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from truestep.check.events import Op
from truestep.check.looks import plain

if TYPE_CHECKING:
    from truestep.check.recorder import Recorder

ITEMS, CHANNELS = 8, 4
LEAST, LARGEST = 8, 128
MOST = 120
"""Pairs of a run that are looked at, of training and outside of it each."""


class Dense:
    """Writes an `Op` "aligned" for each pair of a picture and a mask: both figures for its first items."""

    def __init__(self) -> None:
        self._kept: tuple[Tensor, bool] | None = None
        self._count = {True: 0, False: 0}
        self._met = 0

    def given(self, recorder: Recorder, tensor: Tensor) -> None:
        """Keep what a model is given, if it is a picture."""
        fits = plain(tensor) and tensor.dim() == 4 and tensor.shape[1] <= CHANNELS and tensor.is_floating_point()
        self._kept = None
        self._met = recorder.numbers.last
        if fits and _fits(tensor):  # a copy: it keeps no tensor of the program alive, and stays as it was given
            self._kept = tensor.detach()[:ITEMS].to("cpu", torch.float32, copy=True), torch.is_grad_enabled()

    def overlaid(self, recorder: Recorder, args: Sequence[Any]) -> None:
        """Compare a mask of zeros and ones that was there before the model was called: not made of what it said."""
        if self._kept is None or len(args) < 2 or not all(isinstance(each, Tensor) for each in args[:2]):
            return
        old = [0 < recorder.numbers.knows(each) <= self._met and plain(each) and _fits(each) for each in args[:2]]
        if sum(old) == 1 and args[0].numel() == args[1].numel():
            mask = args[old.index(True)]
            if bool(((mask == 0) | (mask == 1)).all()):
                self.compared(recorder, [mask])

    def compared(self, recorder: Recorder, args: Sequence[Any]) -> None:
        """Compare a target with the last picture; it is the second of two tensors, or stands alone."""
        target = next((each for each in reversed(args[:2]) if isinstance(each, Tensor)), None)
        if self._kept is None or target is None or target.requires_grad or not plain(target):
            return
        picture, grad = self._kept
        mask = target.detach()[:ITEMS] if _fits(target) and not target.is_complex() else target
        mask = mask[:, 0] if mask.dim() == 4 and mask.shape[1] == 1 else mask
        if mask.shape == (len(picture), *picture.shape[-2:]) and self._count[grad] < MOST:
            self._count[grad] += 1
            self._kept = None
            told = _aligned(picture, mask.float().cpu())
            recorder.emit(Op, name="aligned", args=told, words={}, out=(), grad=grad)


def _fits(tensor: Tensor) -> bool:
    return tensor.dim() in (3, 4) and min(tensor.shape[-2:]) >= LEAST and max(tensor.shape[-2:]) <= LARGEST


def _aligned(picture: Tensor, mask: Tensor) -> tuple[tuple[float, float], ...]:
    """For each item the correlation as they lie, and the greatest over all places of the mask and its mirror images."""
    here, best = torch.zeros(len(picture)), torch.zeros(len(picture))
    seen = torch.fft.rfft2(_normal(picture))
    for flips in ((), (-1,), (-2,), (-2, -1)):
        turned = torch.fft.rfft2(_normal(mask.flip(flips) if flips else mask))[:, None].conj()
        found = torch.fft.irfft2(seen * turned, s=picture.shape[-2:]).abs()
        best = torch.maximum(best, found.flatten(1).amax(1))
        if not flips:
            here = found[..., 0, 0].amax(1)
    return tuple(zip(here.tolist(), best.tolist(), strict=True))


def _normal(values: Tensor) -> Tensor:
    """Mean 0 and length 1 over the last two dimensions; zeros where all are the same."""
    centred = values - values.mean((-2, -1), keepdim=True)
    return centred / centred.square().sum((-2, -1), keepdim=True).sqrt().clamp(min=1e-6)
