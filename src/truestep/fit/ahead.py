"""The batches of several compiled steps of a call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from truestep.core.batch import Batch, take
from truestep.core.nesting import flat, rebuilt
from truestep.data.batches import TensorSource, order


def blocks(source: TensorSource, epoch: int, start: int, times: int) -> Iterator[tuple[Any, Batch | None]]:
    """The batches of an epoch from number `start` on, `times` at once and stacked: `(stacked, None)`.

    What is left over in the end, a ragged batch among it, comes one by one: `(None, batch)`.
    """
    size, samples = source.batch_size, source.samples
    positions = None if source.seed is None else order(samples, source.seed, epoch).to(source.home)
    whole = start + max(samples // size - start, 0) // times * times
    most = max(1, source.block // (size * times)) * times
    for at in range(start, whole, most):
        rows = slice(at * size, min(at + most, whole) * size)
        gathered = take(source.data, rows if positions is None else positions[rows])
        leaves, nesting = flat(gathered)
        for several in zip(*(leaf.unflatten(0, (-1, times, size)).unbind() for leaf in leaves), strict=True):
            yield rebuilt(nesting, several), None
    for at in range(whole * size, samples, size):
        rows = slice(at, min(at + size, samples))
        yield None, take(source.data, rows if positions is None else positions[rows])
