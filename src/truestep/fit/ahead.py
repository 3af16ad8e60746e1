"""The batches of an epoch, many at a time: for steps in a row, and for several compiled steps of a call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from truestep.core.batch import Batch, size, take
from truestep.core.nesting import flat, rebuilt
from truestep.data.batches import TensorSource


def blocks(source: TensorSource, epoch: int, start: int, times: int) -> Iterator[tuple[Any, Batch | None]]:
    """The batches of an epoch from number `start` on, `times` at once and stacked: `(stacked, None)`.

    What is left over, a ragged batch among it, comes one by one: `(None, batch)`.
    """
    for data in source.blocks(epoch, start, times):
        yield from _stacked(data, source.batch_size, times)
        del data  # or its memory could not be used again


def _stacked(data: Batch, batch_size: int, times: int) -> Iterator[tuple[Any, Batch | None]]:
    (leaves, nesting), samples = flat(data), size(*data)
    whole = samples // (batch_size * times)
    several = whole * times * batch_size
    parts = (leaf[:several].unflatten(0, (whole, times, batch_size)).unbind() for leaf in leaves)
    for each in zip(*(parts if whole else ()), strict=True):
        yield rebuilt(nesting, each), None
    for at in range(several, samples, batch_size):
        yield None, take(data, slice(at, at + batch_size))


def batches(data: Batch, batch_size: int) -> list[Batch]:
    """All batches of some data."""
    if size(*data) <= batch_size:
        return [data]
    inputs, targets = data
    if isinstance(inputs, Tensor) and isinstance(targets, Tensor):  # the common case, without walking the trees
        return list(zip(inputs.split(batch_size), targets.split(batch_size), strict=True))
    leaves, nesting = flat(data)
    return [rebuilt(nesting, part) for part in zip(*(leaf.split(batch_size) for leaf in leaves), strict=True)]
