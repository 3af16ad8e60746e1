"""Many batch orders at once are those one by one, and the hash of numpy is numpy's."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from truestep.data.batches import order
from truestep.data.orders import FEW, mixed, orders
from truestep.data.seeds import mix

NUMBERS = st.one_of(st.integers(0, 300), st.integers(0, 2**32 - 1))


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=FEW, max_size=40))
def test_many_seeds_are_mixed_as_one_by_one(pairs):
    assert mixed(pairs) == [mix(*pair) for pair in pairs]


@given(st.lists(NUMBERS, min_size=1, max_size=6))
def test_numbers_are_mixed_as_numpy_does(numbers):
    words = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    assert mix(*numbers) == int(words[0]) >> 1


def test_seeds_that_are_no_words_are_mixed_one_by_one():
    for strange in (2**32, -1, 2**63):
        pairs = [(k, strange) for k in range(2 * FEW)]
        assert mixed(pairs) == [mix(*pair) for pair in pairs]


def test_orders_are_those_of_each_seed_and_epoch():
    for seeds, epochs in (([3], [1]), ([7, 0, 3], range(5, 20))):
        found = orders(13, seeds, epochs)
        assert found.shape == (len(epochs), len(seeds), 13)
        for row, epoch in zip(found, epochs, strict=True):
            for own, seed in zip(row, seeds, strict=True):
                assert torch.equal(own, order(13, seed, epoch))
