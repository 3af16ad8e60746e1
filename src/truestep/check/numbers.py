"""Objects and memory by number: the same number means the same one, and nothing is kept alive for it."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any, cast

from torch import Tensor, UntypedStorage

FEW = 64  # what is met between two sweeps


class Numbers:
    """Objects numbered from 1 in the order in which they are met, by weak reference: nothing is kept alive.

    An address that comes back belongs to another object, so the weak reference decides and never the address alone.
    Of what is gone only a few are kept: they are swept away while they are young, so that no garbage collection that
    would not have run without us has to look at them.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], int]] = {}
        self._stores: dict[int, int] = {}  # address -> number; each is held weakly, so no address is given out again
        self._fresh, self._older = list[int](), list[int]()
        self._fresh_stores, self._older_stores = list[int](), list[int]()
        self._last, self._swept = 0, 1 << 12

    def of(self, one: Any) -> int:
        """The number of an object; 0 for what cannot be referred to weakly."""
        known = self._known.get(id(one))
        if known is not None and known[0]() is one:
            return known[1]
        try:
            reference = weakref.ref(one)
        except TypeError:
            return 0
        self._last += 1
        self._known[id(one)] = (reference, self._last)
        self._fresh.append(id(one))
        if len(self._fresh) >= 2 * FEW:
            self.sweep()
        return self._last

    @property
    def last(self) -> int:
        """The number of what was met last."""
        return self._last

    def knows(self, one: Any) -> int:
        """The number of an object that was met before, else 0."""
        known = self._known.get(id(one))
        return known[1] if known is not None and known[0]() is one else 0

    def storage(self, tensor: Tensor) -> int:
        """The number of the memory that a tensor stands in; 0 where it has none of its own."""
        try:
            return self.memory(tensor.untyped_storage())
        except (RuntimeError, NotImplementedError):
            return 0

    def memory(self, held: UntypedStorage) -> int:
        """The number of a storage."""
        known = self._stores.get(held._cdata)
        if known is None:
            address = cast(int, held._weak_ref())
            self._last += 1
            known = self._stores[address] = self._last
            self._fresh_stores.append(address)
            if len(self._fresh_stores) >= 2 * FEW:  # what is left of them would split the memory around
                self.sweep()
        return known

    def note(self, own: list[int], tensor: Tensor) -> None:
        """Put the numbers of a tensor that has memory of its own behind a list: its own, its memory's, its version."""
        known = self._known.get(id(tensor))
        own.append(known[1] if known is not None and known[0]() is tensor else self.of(tensor))
        held = tensor.untyped_storage()
        own.append(self._stores.get(held._cdata) or self.memory(held))
        own.append(tensor._version)

    @property
    def storages(self) -> int:
        """How many storages are known, those that are gone since the last sweep included."""
        return len(self._stores)

    def sweep(self) -> None:
        """Forget what is gone of what was met since the sweep before the last one, and now and then of all."""
        if len(self._fresh) < FEW and len(self._fresh_stores) < FEW:
            return
        self._forget(self._older, self._older_stores)
        self._older, self._older_stores = self._forget(self._fresh, self._fresh_stores)
        self._fresh, self._fresh_stores = [], []
        if len(self._known) + len(self._stores) > self._swept:
            self._forget(list(self._known), list(self._stores))
            self._swept = 2 * (len(self._known) + len(self._stores)) + (1 << 12)

    def _forget(self, objects: list[int], stores: list[int]) -> tuple[list[int], list[int]]:
        """Forget those that are gone; the others are returned."""
        known, held, left, kept = self._known, self._stores, list[int](), list[int]()
        for address in objects:
            one = known.get(address)
            if one is not None:
                if one[0]() is None:
                    del known[address]
                else:
                    left.append(address)
        for address in stores:
            if address in held:
                if UntypedStorage._expired(address):  # type: ignore[attr-defined]
                    del held[address]
                    UntypedStorage._free_weak_ref(address)  # type: ignore[attr-defined]
                else:
                    kept.append(address)
        return left, kept

    def alive(self) -> Iterator[tuple[int, Any]]:
        """The objects that still live, with their numbers."""
        for reference, number in list(self._known.values()):
            one = reference()
            if one is not None:
                yield number, one

    def close(self) -> None:
        """Let go of every storage: no more will be asked."""
        for address in self._stores:
            UntypedStorage._free_weak_ref(address)  # type: ignore[attr-defined]
        self._stores.clear()
