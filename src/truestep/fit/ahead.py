"""The batches of several compiled steps of a call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from truestep.core.batch import Batch, take
from truestep.core.nesting import flat, rebuilt
from truestep.data.batches import TensorSource, order

Call = Sequence[Tensor]
"""The tensors of the batches of one call, in order, with the steps in front."""
AT_ONCE = 100
"""Calls whose batches are gathered at once."""


class Ahead:
    """Gathers the batches of many calls at once, always into the same memory, which lies as kernels expect it.

    Args:
        source: where they come from.
        times: batches a call.
    """

    def __init__(self, source: TensorSource, times: int) -> None:
        self.source, self.times = source, times
        leaves, self._nesting = flat(source.data)
        self._leaves = [leaf.detach() for leaf in leaves]
        a_call = source.batch_size * times
        calls = min(AT_ONCE, max(1, source.block // a_call), source.samples // a_call)
        self._memory = [leaf.new_empty(calls * a_call, *leaf.shape[1:]) for leaf in self._leaves]
        shape = calls, times, source.batch_size
        self._calls: list[Call] = list(zip(*(m.view(*shape, *m.shape[1:]).unbind() for m in self._memory), strict=True))

    def blocks(self, epoch: int, start: int, most: int) -> Iterator[list[Call] | Batch]:
        """The batches of an epoch from number `start` on: a list of at most `most` calls, which is good until
        the next is asked for.

        What is left over in the end, a ragged batch among it, comes batch by batch.
        """
        source, size = self.source, self.source.batch_size
        samples, seed, a_call = source.samples, source.seed, size * self.times
        positions = None if seed is None else order(samples, seed, epoch).to(source.home)
        at, calls = start * size, max(samples - start * size, 0) // (size * self.times)
        while calls:
            now = min(calls, len(self._calls))
            self._gather(slice(at, at + now * a_call), positions)
            for first in range(0, now, most):
                yield self._calls[first : min(first + most, now)]
            at, calls = at + now * a_call, calls - now
        for first in range(at, samples, size):
            rows = slice(first, min(first + size, samples))
            yield take(source.data, rows if positions is None else positions[rows])

    def _gather(self, rows: slice, positions: Tensor | None) -> None:
        for leaf, memory in zip(self._leaves, self._memory, strict=True):
            into = memory[: rows.stop - rows.start]
            if positions is None:
                into.copy_(leaf[rows])
            else:
                torch.index_select(leaf, 0, positions[rows], out=into)

    def batches(self, call: Call) -> Iterator[Batch]:
        """The batches of a call one by one, in memory of their own."""
        for each in zip(*(leaf.clone().unbind() for leaf in call), strict=True):
            yield rebuilt(self._nesting, each)
