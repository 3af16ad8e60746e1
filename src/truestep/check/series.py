"""Series of numbers whose windows, one step apart, are the rows of a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

LONG = 4
"""Windows that a series has at least, in the mean: rows that go on from one another by chance are fewer."""


def cut(table: Tensor, beside: Iterable[Any] = ()) -> list[Tensor]:
    """The series that the rows of a table (N, T) or (N, T, F) are windows of, each (L,) or (L, F), in float64.

    Where one of the tensors `beside` holds what follows each row, as targets do, it belongs to the series. None are
    found where the rows do not go on from one another.
    """
    if table.shape[1] < 2 or not _goes_on(table[:1], table[1:2]):
        return []
    rests = (_followed(table, each) for each in beside)
    wider = (torch.cat([table.double(), rest.double()], 1) for rest in rests if rest is not None)
    return next((found for each in wider if (found := _parted(each))), None) or _parted(table.double())


def _goes_on(first: Tensor, second: Tensor) -> bool:
    return bool((first[:, 1:] == second[:, :-1]).all())


def _followed(table: Tensor, after: Tensor) -> Tensor | None:
    """What stands beside a table, as steps (N, H) or (N, H, F) that follow its rows; None where it has other shapes."""
    step = table[0, 0].numel()
    if after.device != table.device or len(after) != len(table) or not after.numel() or after[0].numel() % step:
        return None
    rest = after.reshape(len(table), -1, *table.shape[2:])
    fits = rest.shape[1] < table.shape[1] or after.dim() == table.dim()
    return rest if fits and bool((table[1:2, -1] == rest[:1, 0]).all()) else None


def _parted(wide: Tensor) -> list[Tensor]:
    """The series of all windows; another one begins where a row does not go on from the one before."""
    linked = (wide[1:, :-1] == wide[:-1, 1:]).flatten(1).all(1)
    begins = (~linked).nonzero()[:, 0] + 1
    if (len(begins) + 1) * LONG > len(wide):
        return []
    parts = torch.tensor_split(wide, begins.tolist())
    return [torch.cat([part[0], part[1:, -1]]) for part in parts]
