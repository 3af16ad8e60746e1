"""Samples gathered in some order, into memory that is used again as soon as nobody holds what was in it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from truestep.core.batch import Batch, change

_uses = getattr(torch._C, "_storage_Use_Count", None)  # pyright: ignore[reportAttributeAccessIssue]


def apart(data: Batch) -> Batch:
    """The same samples without the graph that they came from, which the backward pass of one batch would free.

    What required a gradient still does, for those who differentiate with respect to their inputs.
    """

    def leaf(one: Any) -> Any:
        return one.detach().requires_grad_() if isinstance(one, Tensor) and one.requires_grad else one

    return change(data[0], leaf), change(data[1], leaf)


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
        inputs, targets = self.data
        if isinstance(inputs, Tensor) and isinstance(targets, Tensor):  # the common case, without walking the trees
            return self._rows(0, inputs, positions), self._rows(1, targets, positions)
        place = -1

        def part(leaf: Any) -> Any:
            nonlocal place
            place += 1
            return self._rows(place, leaf, positions)

        return change(inputs, part), change(targets, part)

    def _rows(self, place: int, leaf: Tensor, positions: Tensor) -> Tensor:
        plain = type(leaf) is Tensor and leaf.layout is torch.strided and not leaf.requires_grad
        if _uses is None or not plain:
            return leaf.index_select(0, positions)
        memory, alone = self._memory.get(place, (None, 0))
        if memory is None:
            memory = leaf.index_select(0, positions)
            self._memory[place] = memory, _count(memory)
            return memory[:]
        if len(positions) > len(memory) or _count(memory) > alone:
            return leaf.index_select(0, positions)
        # A view, which tells that somebody holds it.
        return torch.index_select(leaf, 0, positions, out=memory[: len(positions)])


def _count(tensor: Tensor) -> int:
    """How many tensors lie in this memory, with something that is always the same."""
    assert _uses is not None
    return _uses(tensor.untyped_storage()._cdata)
