"""One seed from several numbers, with the bits of numpy's `SeedSequence`."""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate, repeat
from typing import Any

import numpy as np

POOL = 4
FIRST = 0x43B0D7E5, 0x931E8875
SECOND = 0x8B51F9DD, 0x58F38DED
LEFT, RIGHT = 0xCA01F9DD, 0x4973F715
WORD = 2**32


def _constants(start: int, factor: int, uses: int) -> list[int]:
    """What a hash is made with: its constant changes with each use."""
    return list(accumulate(repeat(factor, uses), lambda constant, by: constant * by % WORD, initial=start))


_FIRST, _SECOND = _constants(*FIRST, POOL * POOL), _constants(*SECOND, 2)


@lru_cache(maxsize=256)
def mix(*numbers: int) -> int:
    """One seed of 63 bits from several numbers, such as (seed, epoch): near numbers give unrelated seeds.

    The hash of numpy's `SeedSequence`. For a few small numbers it is worked out here: numpy's own takes a call of `fit`
    as long as a tenth of a small step.

    Source: O'Neill, Developing a seed_seq alternative, 2015; numpy, bit_generator.pyx.
    """
    if not numbers or len(numbers) > POOL or min(numbers) < 0 or max(numbers) >= WORD:
        words = np.random.SeedSequence([number % 2**64 for number in numbers]).generate_state(1, np.uint64)
        return int(words[0] >> 1)
    return hashed([*map(int, numbers), *[0] * (POOL - len(numbers))])


def hashed(pool: list[Any]) -> Any:
    """The hash of `POOL` words of 32 bits, numbers or arrays of uint64, of which each entry is hashed by itself."""
    pool, use = [_hash(word, _FIRST, place) for place, word in enumerate(pool)], POOL
    for source in range(POOL):
        for target in range(POOL):
            if source != target:
                found = (LEFT * pool[target] - RIGHT * _hash(pool[source], _FIRST, use)) % WORD
                pool[target] = found ^ found >> 16
                use += 1
    low, high = _hash(pool[0], _SECOND, 0), _hash(pool[1], _SECOND, 1)
    return (low | high << 32) >> 1


def _hash(word: Any, constants: list[int], use: int) -> Any:
    word = (word ^ constants[use]) * constants[use + 1] % WORD
    return word ^ word >> 16
