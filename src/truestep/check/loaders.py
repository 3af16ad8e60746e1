"""Watches what loaders hand out, and what is shuffled and seeded."""

from __future__ import annotations

import random
import sys
import weakref
from array import array
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any
from zlib import crc32

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset, TensorDataset, default_collate, sampler
from torch.utils.data import dataloader as loading

from truestep.check.events import Batch, LoaderEnd, LoaderMade, LoaderStart, Seeded, Shuffled
from truestep.check.looks import LARGEST, seen, tensors
from truestep.check.patches import exchanged, replaced
from truestep.check.recorder import FETCHED, FETCHES, Recorder
from truestep.check.rewrites import Rewrites
from truestep.check.sources import Table, beside, by_rows, generators, inner, reaches, stored, tables

DATASETS = 64
"""Data sets whose tables are looked at."""


def watches(recorder: Recorder) -> Iterator[AbstractContextManager[None]]:
    """Everything that is replaced for data and seeds."""
    passes = _Passes(recorder)
    yield replaced(DataLoader, "__init__", passes.made)
    yield replaced(DataLoader, "__iter__", passes.begin)
    yield exchanged(loading._BaseDataLoaderIter, "_next_index", passes.indexing)
    yield exchanged(loading._BaseDataLoaderIter, "__next__", passes.handing)
    yield replaced(random, "shuffle", lambda run, x, *a, **k: _shuffled(recorder, run, x, a, k))
    yield replaced(random, "seed", lambda run, *a, **k: _seeded(recorder, "random", run, a, k))
    yield replaced(torch, "manual_seed", lambda run, *a, **k: _seeded(recorder, "torch", run, a, k))
    if "numpy" in sys.modules:
        import numpy as np

        yield replaced(np.random, "seed", lambda run, *a, **k: _seeded(recorder, "numpy", run, a, k))
        for name in ("permutation", "shuffle"):
            yield replaced(np.random, name, lambda run, x, *a, **k: _permuted(recorder, run, x, a, k))


class _Pass:
    """A pass under way: its loader's number and its own, the place in it, the indices drawn for what is not out yet.

    `torchs`: none of the user's code runs where a batch is made. The iterator is known by weak reference.
    """

    __slots__ = ("iterator", "loader", "place", "run", "torchs", "waiting")

    def __init__(self, iterator: Any, loader: int, run: int, waiting: deque[Any], torchs: bool) -> None:
        self.iterator, self.loader, self.run, self.place = weakref.ref(iterator), loader, run, 0
        self.waiting, self.torchs = waiting, torchs


class _Passes:
    """Passes over loaders; nothing is drawn from them."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._fresh = recorder, deque[Any]()
        self._under_way: dict[int, _Pass] = {}
        self._rewrites = Rewrites()
        self._tables: dict[int, tuple[Table, ...]] = {}
        self._looked: dict[int, int] = {}  # loader -> calls that were looked at while its batches were made

    def made(self, run: Any, loader: Any, *args: Any, **words: Any) -> None:
        """A loader is built."""
        recorder = self._recorder
        run(loader, *args, **words)
        if not recorder.awake:
            return
        with recorder.looking:
            base, chosen = _below(loader.dataset)
            drawn = loader.sampler if loader.batch_sampler is None or loader.batch_size else loader.batch_sampler
            size = len(loader.dataset) if hasattr(loader.dataset, "__len__") else None
            items = size if chosen is None else None
            drops = loader.drop_last or getattr(loader.batch_sampler, "drop_last", False) is True
            recorder.emit(
                LoaderMade, loader=recorder.numbers.of(loader), dataset=recorder.numbers.of(loader.dataset),
                base=recorder.numbers.of(base), chosen=chosen, size=size, batch_size=loader.batch_size,
                drop_last=drops, sampler=type(drawn).__name__, workers=loader.num_workers,
                seeded=reaches(loader.worker_init_fn, base), generators=generators(base), stored=stored(base),
                within=tuple(recorder.numbers.of(each) for each in inner(base)), kind=type(base).__name__,
                tables=self._tables_of(base), rows=tuple(recorder.numbers.of(each) for each in by_rows(base, items)),
            )  # fmt: skip

    def _tables_of(self, base: Any) -> tuple[Table, ...]:
        """The tables of a dataset, looked at once, as loaders may be built for each epoch."""
        number = self._recorder.numbers.of(base)
        if number not in self._tables and len(self._tables) < DATASETS:
            self._tables[number] = tuple(tables(self._recorder, base))
        return self._tables.get(number, ())

    def begin(self, run: Any, loader: Any) -> Any:
        """A pass begins: the iterator is the loader's own."""
        recorder = self._recorder
        if not recorder.awake:
            return run(loader)
        number = recorder.numbers.of(loader)
        start = recorder.next()
        with recorder.looking:
            recorder.emit(LoaderStart, loader=number, run=start)
            recorder.snapshot("pass")
        self._fresh = waiting = deque[Any]()  # a loader with workers asks for indices while its iterator is built
        recorder.fetching += 1  # what torch draws for the pass is its own
        try:
            iterator = run(loader)
        finally:
            recorder.fetching -= 1
        if isinstance(iterator, loading._BaseDataLoaderIter):
            self._under_way = {at: one for at, one in self._under_way.items() if one.iterator() is not None}
            self._under_way[id(iterator)] = _Pass(iterator, number, start, waiting, _torchs(loader))
        return iterator

    def indexing(self, run: Any) -> Any:
        """The next indices are drawn, by the iterator and for it."""
        recorder = self._recorder

        def index(iterator: Any) -> Any:
            found = run(iterator)
            if recorder.live and not recorder.busy:
                known = self._under_way.get(id(iterator))
                known = None if known is None or known.iterator() is not iterator else known
                waiting = self._fresh if known is None else known.waiting
                with torch._C.DisableTorchFunction():
                    waiting.append(_indices(found))
            return found

        return index

    def handing(self, run: Any) -> Any:
        """A batch is handed out."""
        recorder = self._recorder

        def batch(iterator: Any) -> Any:
            known = self._under_way.get(id(iterator))
            if known is None or known.iterator() is not iterator or recorder.busy or not recorder.live:
                return run(iterator)
            looked = self._looked.get(known.loader, 0)
            unseen = known.torchs or (looked >= FETCHES and known.place > 0)
            recorder.fetching, recorder.fetched = recorder.fetching + 1, FETCHED if unseen else 0
            after = self._rewrites.before(recorder, known, iterator)
            off = unseen and recorder.close
            if off:
                recorder.lens(False)
            try:
                found = run(iterator)
            except StopIteration:
                with recorder.looking:
                    recorder.emit(LoaderEnd, loader=known.loader, run=known.run, batches=known.place)
                raise
            finally:
                recorder.fetching -= 1
                if off:
                    recorder.look(recorder.close)
                if not unseen:
                    self._looked[known.loader] = looked + min(recorder.fetched, FETCHED)
            after()
            index = known.waiting.popleft() if known.waiting else None
            place, known.place = known.place, known.place + 1
            if type(index) is array and not recorder.close and type(found) is list and _bare(found):
                index.append(known.run)
                index.append(place)
                recorder.jot(Batch, (known.loader, True), index, tuple(found))
            else:
                self._batch(known, place, None if index is None else tuple(index), found)
            return found

        return batch

    def _batch(self, known: _Pass, place: int, index: tuple[Any, ...] | None, found: Any) -> None:
        """Write a batch that is looked at closely, or is no plain list of tensors."""
        recorder = self._recorder
        with recorder.looking:
            index = None if index is None or (index and index[0] is None) else index
            given = tuple(tensors(found))
            if recorder.close or not (index is None or all(type(each) is int for each in (*index[:1], *index[-1:]))):
                looks = tuple(seen(each, recorder.numbers, recorder.close, recorder.close) for each in given)
                recorder.emit(
                    Batch, loader=known.loader, run=known.run, place=place, index=index, tensors=looks
                )  # fmt: skip
            else:
                recorder.jot(Batch, (known.loader, index is not None), (*(index or ()), known.run, place), given)


def _bare(values: Any) -> bool:
    return {Tensor}.issuperset(map(type, values))


def _indices(drawn: Any) -> Any:
    """Indices as they are kept: whole numbers side by side where they are such, as those of numpy and torch are too."""
    if type(drawn) is Tensor or type(drawn).__module__ == "numpy":
        drawn = drawn.tolist()
    if (
        type(drawn) in (list, tuple)
        and drawn
        and (type(drawn[0]) in (int, Tensor) or type(drawn[0]).__module__ == "numpy")
    ):
        try:
            return array("q", drawn)
        except (TypeError, OverflowError):
            pass
    return tuple(drawn) if isinstance(drawn, list | tuple) else (drawn,)


def _torchs(loader: Any) -> bool:
    """Whether none of the user's code runs where a batch is made."""
    samplers = (type(each).__module__ for each in (loader.sampler, loader.batch_sampler) if each is not None)
    own = all(each == sampler.__name__ for each in samplers) and loader.collate_fn is default_collate
    return own and type(_below(loader.dataset)[0]) is TensorDataset


def _below(dataset: Any) -> tuple[Any, tuple[int, ...] | None]:
    """The dataset below all Subsets, and which of its items they choose."""
    chosen: list[int] | None = None
    while isinstance(dataset, Subset):
        indices = [int(each) for each in dataset.indices]
        chosen = indices if chosen is None else [indices[each] for each in chosen]
        dataset = dataset.dataset
    return dataset, None if chosen is None else tuple(chosen)


def _shuffled(recorder: Recorder, run: Any, what: Any, args: Any, words: Any) -> None:
    if not recorder.awake:
        run(what, *args, **words)
        return
    ordinal, near, before = False, (), {}
    with recorder.looking:
        ordinal, near = all(isinstance(each, int) for each in what), beside(what)
        before = {id(each): place for place, each in enumerate(what)}  # while the list keeps them alive
    run(what, *args, **words)
    with recorder.looking:
        order = hash(tuple(before.get(id(each), 0) for each in what))
        recorder.emit(Shuffled, size=len(what), ordinal=ordinal, beside=near, order=order)


def _permuted(recorder: Recorder, run: Any, what: Any, args: Any, words: Any) -> Any:
    """`numpy.random.permutation` and `shuffle`: the outcome is what they return, or what they were given."""
    found = run(what, *args, **words)
    if recorder.awake:
        with recorder.looking:
            array = what if found is None else found
            if hasattr(array, "tobytes") and array.dtype != object and 1 < array.size <= LARGEST:
                ordinal = array.dtype.kind in "iu"
                recorder.emit(Shuffled, size=len(array), ordinal=ordinal, beside=(), order=crc32(array.tobytes()))
    return found


def _seeded(recorder: Recorder, who: str, run: Any, args: Any, words: Any) -> Any:
    if recorder.awake:
        with recorder.looking:
            value = args[0] if args else words.get("seed")
            recorder.emit(Seeded, who=who, value=value if isinstance(value, int) else None)
    return run(*args, **words)
