"""The batch orders of many seeds and epochs at once: the same as one by one, at a third of the time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from truestep.data.seeds import FIRST, LEFT, POOL, RIGHT, SECOND, WORD, mix

FEW = 8
"""Below so many pairs, numpy's own hash, one pair after another, takes less time."""


def orders(samples: int, seeds: Sequence[int], epochs: Sequence[int]) -> Tensor:
    """`order(samples, seed, epoch)` of all of them: (epochs, seeds, samples)."""
    generator, found = torch.Generator(), list[Tensor]()
    for number in mixed([(seed, epoch) for epoch in epochs for seed in seeds]):
        generator.manual_seed(number)
        found.append(torch.randperm(samples, generator=generator))
    return torch.stack(found).unflatten(0, (len(epochs), len(seeds)))


def mixed(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """`mix(*pair)` of each pair.

    The hash of numpy's `SeedSequence`, of all pairs at once.

    Source: O'Neill, Developing a seed_seq alternative, 2015; numpy, bit_generator.pyx.
    """
    numbers = np.array([pair for pair in pairs if min(pair) >= 0 and max(pair) < WORD], dtype=np.uint32)
    if len(pairs) < FEW or len(numbers) < len(pairs):
        return [mix(*pair) for pair in pairs]
    words = [numbers[:, 0], numbers[:, 1], *[np.zeros_like(numbers[:, 0])] * (POOL - 2)]
    hashes = _Hash(*FIRST)
    pool = [hashes(word) for word in words]
    for source in range(POOL):
        for target in range(POOL):
            if source != target:
                pool[target] = _mix(pool[target], hashes(pool[source]))
    hashes = _Hash(*SECOND)
    low, high = (hashes(word).astype(np.uint64) for word in pool[:2])
    return ((low | (high << np.uint64(32))) >> np.uint64(1)).tolist()


class _Hash:
    """A hash whose constant changes with each use."""

    def __init__(self, constant: int, factor: int) -> None:
        self._constant, self._factor = constant, factor

    def __call__(self, value: np.ndarray) -> np.ndarray:
        value = value ^ np.uint32(self._constant)
        self._constant = self._constant * self._factor % WORD
        value = value * np.uint32(self._constant)
        return value ^ (value >> np.uint32(16))


def _mix(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    found = np.uint32(LEFT) * one - np.uint32(RIGHT) * other
    return found ^ (found >> np.uint32(16))
