"""Which generators a data set draws with, and whether its workers can be told apart."""

from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, get_worker_info

from truestep.check.sources import generators, reaches

GENERATOR = np.random.default_rng(0)


class Noisy(Dataset):
    """Draws with a generator of its own, and with one that the file has."""

    def __init__(self):
        self.own = np.random.default_rng(0)

    def __getitem__(self, item):
        return self.own.random() + GENERATOR.random()


class Kept(Dataset):
    """Sets its generator to a state of its own for each item."""

    def __init__(self):
        self.own = torch.Generator()

    def __getitem__(self, item):
        return torch.rand(1, generator=self.own.manual_seed(item))


def global_states(worker):
    np.random.seed(worker)
    torch.manual_seed(worker)


def own_state(worker):
    info: Any = get_worker_info()
    info.dataset.own = np.random.default_rng(worker)


def through_another(worker):
    own_state(worker)


def file_state(worker):
    global GENERATOR
    GENERATOR = np.random.default_rng(worker)


def test_a_data_sets_generators_are_found_by_the_names_that_its_methods_use():
    assert set(generators(Noisy())) == {"own", "GENERATOR"}
    assert generators(Kept()) == ()


def test_a_worker_init_fn_that_seeds_the_global_states_does_not_reach_a_data_sets_own():
    data = Noisy()
    assert not reaches(None, data)
    assert not reaches(global_states, data)
    for function in (own_state, through_another, file_state, partial(global_states, worker=3), lambda n: data.own):
        assert reaches(function, data), function
