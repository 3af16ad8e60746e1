"""The batch orders of many seeds and epochs at once: the same as one by one, at a third of the time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from truestep.data.seeds import POOL, WORD, hashed, mix

FEW = 8
"""Below so many pairs, one pair after another takes less time."""


def orders(samples: int, seeds: Sequence[int], epochs: Sequence[int]) -> Tensor:
    """`order(samples, seed, epoch)` of all of them: (epochs, seeds, samples)."""
    generator, found = torch.Generator(), list[Tensor]()
    for number in mixed([(seed, epoch) for epoch in epochs for seed in seeds]):
        generator.manual_seed(number)
        found.append(torch.randperm(samples, generator=generator))
    return torch.stack(found).unflatten(0, (len(epochs), len(seeds)))


def mixed(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """`mix(*pair)` of each pair, of all of them at once."""
    numbers = np.array([pair for pair in pairs if min(pair) >= 0 and max(pair) < WORD], dtype=np.uint64)
    if len(pairs) < FEW or len(numbers) < len(pairs):
        return [mix(*pair) for pair in pairs]
    return hashed([numbers[:, 0], numbers[:, 1], *[np.zeros_like(numbers[:, 0])] * (POOL - 2)]).tolist()
