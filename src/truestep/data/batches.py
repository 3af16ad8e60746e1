"""Batches whose order is a function of (seed, epoch), the same on every machine and for every number of ranks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from operator import attrgetter
from threading import local
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset
from torch.utils.data.distributed import DistributedSampler

from truestep.core.batch import CPU, Batch, change, leaves, rows, size, take, to_device
from truestep.core.errors import ConfigError, DataError
from truestep.core.nesting import flat, rebuilt
from truestep.core.ranks import Ranks
from truestep.data.arrays import as_tensor
from truestep.data.gather import Gatherer, apart
from truestep.data.seeds import mix

RESIDENT = 2**30
"""Bytes of in-memory data that are moved to the model's device once instead of batch by batch."""


_BYTES, _DEVICE, _GRADIENT = attrgetter("nbytes"), attrgetter("device"), attrgetter("requires_grad")


class _Own(local):
    """A generator that is seeded before each use; to make one takes longer than to draw a short order from it."""

    def __init__(self) -> None:
        self.generator = torch.Generator()


_own = _Own()


def order(samples: int, seed: int, epoch: int) -> Tensor:
    """The order of `samples` in one epoch: a permutation that depends on (seed, epoch) and on nothing else."""
    return torch.randperm(samples, generator=_own.generator.manual_seed(mix(seed, epoch)))


GATHERED = 2**20
"""Bytes of shuffled data that are gathered at once, where that is many batches: as many as stay near the processor."""


class Source(Protocol):
    """Where batches come from. Under several ranks each gives its own share of a batch, None where that is empty."""

    notes: list[str]

    def batches(self, epoch: int) -> Iterator[Batch | None]:
        """The batches of one epoch."""
        ...

    def __len__(self) -> int:
        """Batches an epoch, 0 where nobody can say."""
        ...


class TensorSource:
    """In-memory tensors, sliced rather than collated."""

    def __init__(self, data: Batch, batch_size: int, seed: int | None, ranks: Ranks, device: torch.device) -> None:
        self.samples = size(*data)
        if not self.samples:
            raise DataError("the data are empty: there are no samples to go over.")
        plain = isinstance(data[0], Tensor) and isinstance(data[1], Tensor)  # without walking the trees
        held = list(data) if plain else [leaf for _, leaf in leaves(data) if isinstance(leaf, Tensor)]
        weight, at_home = sum(map(_BYTES, held)), set(map(_DEVICE, held)) == {device}
        resident = weight <= RESIDENT
        self.data: Batch = to_device(data, device) if resident and not at_home else data
        self.home = device if resident else held[0].device
        self.watched = any(map(_GRADIENT, held))
        self.block = max(1, GATHERED // max(1, weight // self.samples))
        self.batch_size, self.seed, self.ranks, self.device = batch_size, seed, ranks, device
        self.notes: list[str] = []

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch | None]:
        """Slices of the data as they lie, or gathered in the order of the epoch; the `first` ones are passed over."""
        for data in self.blocks(epoch, first):
            yield from self._slices(data)
            del data  # or its memory could not be used again

    def blocks(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The samples of the same batches, many batches at a time."""
        found = self._gathered(epoch, first)
        return map(apart, found) if self.watched else found

    def _gathered(self, epoch: int, first: int) -> Iterator[Batch]:
        positions = None if self.seed is None else order(self.samples, self.seed, epoch)
        if positions is not None and self.home != CPU:
            positions = positions.to(self.home)
        # Gathered many batches at a time and then sliced: a gather costs a small step more than its arithmetic.
        block = self.batch_size * max(1, self.block // self.batch_size)
        passed = first * self.batch_size
        if self.samples <= block:
            data = take(self.data, slice(None) if positions is None else positions)
            yield take(data, slice(passed, None)) if passed else data
            return
        # New memory each epoch: it lies above what a step frees, which would else go back to the system at each step.
        gatherer = Gatherer(self.data)
        # From the start of a block on, so that every batch lies in memory as it would had none been passed over.
        for start in range(passed // block * block, self.samples, block):
            part = slice(start, min(start + block, self.samples))
            data = take(self.data, part) if positions is None else gatherer.take(positions[part])
            yield take(data, slice(passed - start, None)) if passed > start else data
            del data  # or its memory could not be used again

    def _slices(self, data: Batch) -> Iterator[Batch | None]:
        """The share of this rank of each batch of some data, in order."""
        samples, together = size(*data), self.ranks
        at_home = together.size == 1 and self.home == self.device
        for at in range(0, samples, self.batch_size):
            if at_home:
                yield take(data, slice(at, at + self.batch_size))
                continue
            mine = together.share(min(self.batch_size, samples - at))
            own = None if mine.start == mine.stop else take(data, slice(at + mine.start, at + mine.stop))
            yield None if own is None else to_device(own, self.device)


def slices(data: Batch, batch_size: int) -> list[Batch]:
    """All batches of some data."""
    inputs, targets = data
    if (rows(inputs) or rows(targets)) <= batch_size:
        return [data]
    if isinstance(inputs, Tensor) and isinstance(targets, Tensor):  # the common case, without walking the trees
        return list(zip(inputs.split(batch_size), targets.split(batch_size), strict=True))
    held, nesting = flat(data)
    return [rebuilt(nesting, part) for part in zip(*(leaf.split(batch_size) for leaf in held), strict=True)]


class DatasetSource:
    """A map-style data set, collated by a `DataLoader` in our order."""

    def __init__(self, data: Dataset, batch_size: int, seed: int | None, ranks: Ranks, device: torch.device) -> None:
        self.data, self.samples = data, len(data)  # pyright: ignore[reportArgumentType]
        if not self.samples:
            raise DataError("the data set is empty: there are no samples to go over.")
        self.batch_size, self.seed, self.ranks, self.device = batch_size, seed, ranks, device
        self.notes: list[str] = []

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch | None]:
        """Each batch of the epoch's order, this rank's share of it; the `first` ones are never loaded."""
        positions = torch.arange(self.samples) if self.seed is None else order(self.samples, self.seed, epoch)
        whole = [part.tolist() for part in positions.split(self.batch_size)]
        mine = [part[self.ranks.share(len(part))] for part in whole[first:]]
        # A generator of its own: drawing from the global one would make dropout differ from that of tensors.
        parts = [part for part in mine if part]
        loader = iter(DataLoader(self.data, batch_sampler=parts, generator=torch.Generator()))
        for part in mine:
            yield _pair(next(loader), self.device) if part else None


class LoaderSource:
    """A `DataLoader` as the user made it.

    Under several ranks a loader that gives the same batches everywhere is shared out batch by batch; loaders that give
    each rank its own are taken as they are, and a rank whose loader has ended waits until all have.
    """

    def __init__(self, loader: DataLoader, ranks: Ranks, device: torch.device) -> None:
        self.loader, self.ranks, self.device = loader, ranks, device
        own = isinstance(loader.sampler, DistributedSampler)
        self.own: bool | None = own if own or ranks.size == 1 else None
        self.notes = _repeats(loader.sampler) if isinstance(loader.sampler, DistributedSampler) else []

    def __len__(self) -> int:
        try:
            return len(self.loader)
        except TypeError:
            return 0

    def batches(self, epoch: int) -> Iterator[Batch | None]:
        """The loader's batches, this rank's share of each, or None where it has none."""
        for holder in (self.loader.sampler, self.loader.batch_sampler):
            if hasattr(holder, "set_epoch"):
                holder.set_epoch(epoch)  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        given = iter(self.loader)
        first = next(given, None)
        if self.own is None:
            self.own = self._differs(first)
        given = given if first is None else chain([first], given)
        if self.own and self.ranks.size > 1:
            yield from self._in_step(given)
            return
        if first is None:
            raise DataError(
                "the loader gave no batches: look for empty data, for drop_last with fewer samples than a batch, or "
                "for an iterator that can be gone over only once."
            )
        for raw in given:
            batch = _pair(raw, self.device)
            if self.ranks.size == 1:
                yield batch
                continue
            mine = self.ranks.share(size(*batch))
            yield None if mine.start == mine.stop else take(batch, mine)

    def _differs(self, first: Any) -> bool:
        """Whether the ranks' loaders begin with other batches: then each has a share of its own."""
        held = [leaf.double().flatten() for _, leaf in leaves(first) if isinstance(leaf, Tensor)]
        marks = [float(leaf.nan_to_num() @ torch.linspace(1, 2, len(leaf)).to(leaf)) for leaf in held if len(leaf)]
        mark = sum(marks) + len(self)
        of_first = float(self.ranks.add([0.0 if self.ranks.rank else mark], self.device)[0])
        if not float(self.ranks.add([float(mark != of_first)], self.device)[0]):
            return False
        self.notes.append("each rank's loader gives batches of its own: they are taken as its share of the data.")
        return True

    def _in_step(self, batches: Iterator[Any]) -> Iterator[Batch | None]:
        while True:
            raw = next(batches, None)
            if not float(self.ranks.add([float(raw is not None)], self.device)[0]):
                return
            yield None if raw is None else _pair(raw, self.device)


def source(data: Any, batch_size: int | None, seed: int | None, ranks: Ranks, device: torch.device) -> Source:
    """Batches of `(inputs, targets)` tensors or arrays, of a data set, or of a loader.

    `seed` None keeps the order of the data. A `batch_size` counts the samples of all ranks together.

    Raises:
        DataError: for empty data, or a batch that is not `(inputs, targets)`.
        ConfigError: for a batch size that is none, or that a loader contradicts.
    """
    if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
        raise ConfigError(f"batch_size is a number of samples, at least 1, and not {batch_size!r}.")
    if type(data) is TensorDataset and len(data.tensors) == 2:  # a subclass may change its samples
        data = data.tensors
    if isinstance(data, tuple | list) and len(data) == 2:
        plain = isinstance(data[0], Tensor) and isinstance(data[1], Tensor)  # without walking the trees
        whole = (data[0], data[1]) if plain else (change(data[0], as_tensor), change(data[1], as_tensor))
        return TensorSource(whole, batch_size or 256, seed, ranks, device)
    if isinstance(data, DataLoader):
        if batch_size not in (None, data.batch_size):
            raise ConfigError(
                f"batch_size={batch_size} contradicts the loader, which has {data.batch_size}: leave it out, or "
                "give the data set itself."
            )
        return LoaderSource(data, ranks, device)
    if isinstance(data, IterableDataset):
        return LoaderSource(DataLoader(data, batch_size=batch_size or 256), ranks, device)
    sized = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    if sized and not isinstance(data, tuple | list | dict | str | Tensor | np.ndarray):
        return DatasetSource(data, batch_size or 256, seed, ranks, device)
    if isinstance(data, Dataset):
        raise DataError(
            f"the data set {type(data).__name__} has no __len__: give it one, or make it an IterableDataset."
        )
    raise DataError(
        f"the data must be (inputs, targets), a data set or a loader, and not {type(data).__name__}: "
        "give two tensors whose first dimension counts the samples."
    )


def _pair(raw: Any, device: torch.device) -> Batch:
    if not isinstance(raw, tuple | list) or len(raw) != 2:
        what = f"{len(raw)} items" if isinstance(raw, tuple | list) else type(raw).__name__
        raise DataError(
            f"a batch must be (inputs, targets), and the loader gave {what}: let its data set return two things, "
            "each a tensor or a tuple or dict of tensors."
        )
    return to_device(raw[0], device), to_device(raw[1], device)


def _repeats(sampler: DistributedSampler) -> list[str]:
    extra = sampler.total_size - len(sampler.dataset)  # pyright: ignore[reportArgumentType]
    if extra > 0:
        return [
            f"DistributedSampler repeats {extra} sample(s) an epoch to make ranks equal: give fit the data set itself."
        ]
    if extra < 0:
        return [f"DistributedSampler leaves {-extra} sample(s) out of each epoch: give fit the data set itself."]
    return []
