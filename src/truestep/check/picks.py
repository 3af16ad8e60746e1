"""Which rows a call takes of a tensor, where it is told by numbers: an index tensor, an array, a list, a mask."""

from __future__ import annotations

import zlib
from array import array
from typing import Any, NamedTuple

import torch
from torch import Tensor

from truestep.check.looks import plain

PICKS = {"__getitem__": 1, "index_select": 2}
"""Calls that take rows along the first dimension, and the place of what tells which."""
MOST = 1 << 20
HELD = 1 << 12


class Places(NamedTuple):
    """Which rows were taken: how many, a digest of their numbers, and the numbers themselves (None for too many).

    `shuffles`: they are all whole numbers below `size`, each once, and not in order.
    """

    size: int
    mark: int
    shuffles: bool
    held: array[int] | None

    def __repr__(self) -> str:
        return f"Places({self.size}, {self.mark})"


def picked(name: str, args: tuple[Any, ...]) -> Places | None:
    """The rows that a call takes; None where it is not told by a list of numbers or a mask."""
    where = PICKS[name]
    if len(args) <= where or (name == "index_select" and args[1] != 0):
        return None
    return places(args[where])


def places(index: Any) -> Places | None:
    """The rows that an index along the first dimension stands for."""
    if isinstance(index, tuple) or type(index) in (int, slice):
        return None
    flat = _numbers(index)
    if flat is None or not 0 < flat.numel() <= MOST:
        return None
    size = flat.numel()
    raw = flat.numpy()
    counted = bool((flat.sort().values == torch.arange(size, device="cpu")).all()) if size > 1 else False
    shuffles = counted and bool((flat[1:] < flat[:-1]).any())
    return Places(size, zlib.crc32(raw.data), shuffles, array("q", raw.tobytes()) if size <= HELD else None)


def _numbers(index: Any) -> Tensor | None:
    """The row numbers as one line of 64-bit numbers on the CPU, places of what is true for a mask."""
    if isinstance(index, list):
        if not 1 < len(index) <= MOST or not all(type(each) is int for each in (index[0], index[-1])):
            return None
        try:
            return torch.tensor(index, dtype=torch.int64, device="cpu")
        except (TypeError, ValueError, RuntimeError):
            return None
    if type(index).__module__ == "numpy" and getattr(index, "ndim", 0) == 1 and index.dtype.kind in "iub":
        index = torch.from_numpy(index.astype("int64" if index.dtype.kind != "b" else "bool"))
    if not isinstance(index, Tensor) or index.dim() != 1 or not plain(index) or index.is_floating_point():
        return None
    held = index.detach().cpu()
    return held.nonzero()[:, 0].contiguous() if held.dtype == torch.bool else held.long().contiguous()
