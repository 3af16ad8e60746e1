"""Which weights a name stands for, and how often they were changed while it did."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from truestep.check.changes import Backward
from truestep.check.trace import Trace


class Memory:
    """The memory of trained weights, of modules and of what is trained by hand, with the updates that changed it."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._numbers: dict[int, int] = {}  # storage -> the number of the parameter in it
        self._rest: set[int] = set()
        for facts in trace.modules.values():
            for name, storage in facts.storages.items():
                self._numbers[storage] = facts.parameters[name]
            self._rest |= set(facts.buffers.values())
        for event in trace.of(Backward):  # those of torch.autograd.grad among them
            self._numbers |= {leaf.storage: leaf.number for leaf in event.leaves}
        self._moves = list(self._moved())

    def _moved(self) -> Iterator[tuple[int, set[int]]]:
        held = {number: self._trace.held(number) for number in self._trace.optimizers()}
        for update in self._trace.updates():
            yield update.at.n, set(update.by_hand) if update.step is None else held.get(update.step.optimizer, set())

    def of(self, value: Any) -> frozenset[int]:
        """The memory of what a name stands for (see `events.Names`), where all of it is weights; else nothing."""
        kind = value[0] if isinstance(value, tuple) and value else ""
        found: set[int] = set()
        if kind == "module":
            facts = self._trace.modules.get(value[1])
            found = set() if facts is None else set(facts.storages.values())
        elif kind in ("dict", "tensor"):
            found = set(value[2]) if kind == "dict" else {value[2]}
        elif kind == "list" and value[1] == len(value[3]):
            found = set(value[3])
        weights = found & self._numbers.keys()
        return frozenset(weights) if weights and found <= self._numbers.keys() | self._rest else frozenset()

    def changed(self, memory: frozenset[int], first: int, last: int) -> int:
        """How many updates between two events changed it."""
        numbers = {self._numbers[storage] for storage in memory}
        return sum(first < n < last and bool(held & numbers) for n, held in self._moves)

    def still(self, memory: frozenset[int], n: int) -> tuple[int, float]:
        """The events between which, around event `n`, no update changed it."""
        numbers = {self._numbers[storage] for storage in memory}
        moves = [at for at, held in self._moves if held & numbers]
        return max((at for at in moves if at < n), default=0), min((at for at in moves if at > n), default=math.inf)
