"""Samples gathered in some order, into memory that is used again as soon as nobody holds what was in it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from truestep.core.batch import Batch, change

_uses = getattr(torch._C, "_storage_Use_Count", None)  # pyright: ignore[reportAttributeAccessIssue]


class Gatherer:
    """Takes samples out of `data` again and again.

    New memory for each batch would have to come from afar, which costs more than to copy the samples. What was taken
    stays as it is while anybody holds it or a view of it, be it a model that remembers its inputs or a graph.
    """

    def __init__(self, data: Batch) -> None:
        self.data = data
        self._memory: dict[int, tuple[Tensor, int]] = {}

    def take(self, positions: Tensor) -> Batch:
        """The samples at these positions, in this order; the first time decides how many there is room for."""
        place = -1

        def part(leaf: Any) -> Any:
            nonlocal place
            place += 1
            return self._rows(place, leaf, positions)

        return change(self.data[0], part), change(self.data[1], part)

    def _rows(self, place: int, leaf: Tensor, positions: Tensor) -> Tensor:
        plain = type(leaf) is Tensor and leaf.layout is torch.strided and not leaf.requires_grad
        if _uses is None or not plain:
            return leaf.index_select(0, positions)
        if place not in self._memory:
            made = leaf.new_empty((len(positions), *leaf.shape[1:]))
            self._memory[place] = made, _count(made)
        memory, alone = self._memory[place]
        if len(positions) > len(memory) or _count(memory) > alone:
            return leaf.index_select(0, positions)
        into = memory if len(positions) == len(memory) else memory[: len(positions)]
        return torch.index_select(leaf, 0, positions, out=into)


def _count(tensor: Tensor) -> int:
    """How many tensors lie in this memory, with something that is always the same."""
    assert _uses is not None
    return _uses(tensor.untyped_storage()._cdata)
