"""Batches: every sample once an epoch, in an order of its own; what is no data gets one sentence."""

from itertools import chain
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, RandomSampler, Subset, TensorDataset

import truestep as ts
from truestep.core.batch import take
from truestep.core.ranks import Ranks
from truestep.data import batches
from truestep.data.batches import LoaderSource, order, source
from truestep.data.seeds import mix
from unit.fit_cases import Items, Stream

CPU, ALONE = torch.device("cpu"), Ranks()
X, Y = torch.arange(11.0).unsqueeze(1), torch.arange(11)


def every(
    data: Any, batch_size: int | None = 4, seed: int | None = None, epoch: int = 1, ranks: Ranks = ALONE
) -> list[Any]:
    return list(source(data, batch_size, seed, ranks, CPU).batches(epoch))


def labels(batches: list[Any]) -> list[list[int]]:
    return [[] if batch is None else batch[1].tolist() for batch in batches]


@given(samples=st.integers(1, 30), size=st.integers(1, 31), seed=st.integers(-5, 2**65), epoch=st.integers(1, 50))
def test_every_sample_once_and_inputs_beside_their_targets(samples: int, size: int, seed: int, epoch: int):
    x = torch.arange(samples).double().unsqueeze(1)
    for data in ((x, x[:, 0].long()), Items((x, x[:, 0].long()))):
        made = source(data, size, seed, ALONE, CPU)
        found: list[Any] = list(made.batches(epoch))
        assert len(found) == len(made)
        assert [len(targets) for _, targets in found[:-1]] == [size] * (len(found) - 1)
        seen = list(chain(*labels(found)))
        assert sorted(seen) == list(range(samples))
        assert seen == order(samples, seed, epoch).tolist()
        assert all(torch.equal(inputs[:, 0].long(), targets) for inputs, targets in found)


@pytest.mark.parametrize("gathered", [1, 16, 80, 200])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_data_gathered_in_many_blocks_are_the_same_batches(monkeypatch: pytest.MonkeyPatch, gathered: int, ranks: int):
    """Samples of 16 bytes in blocks of 1 to 13 samples."""
    x = torch.arange(23).double().unsqueeze(1)
    data = x, x[:, 0].long()
    whole = [labels(every(data, 4, 3, ranks=Alike(ranks, rank))) for rank in range(ranks)]
    monkeypatch.setattr(batches, "GATHERED", gathered)
    assert [labels(every(data, 4, 3, ranks=Alike(ranks, rank))) for rank in range(ranks)] == whole
    assert list(chain(*labels(every(data, 4, 3)))) == order(23, 3, 1).tolist()
    assert list(chain(*labels(every(data, 4)))) == list(range(23))


class Alike(Ranks):
    """Ranks that all hold the same: no process group is needed to add them up."""

    def add(self, values, device):
        return [value * self.size for value in values]


@given(samples=st.integers(1, 30), size=st.integers(1, 31), ranks=st.integers(1, 5))
def test_ranks_share_each_batch_without_losing_or_repeating_a_sample(samples: int, size: int, ranks: int):
    x = torch.arange(samples).double().unsqueeze(1)
    data = x, x[:, 0].long()
    for form in (data, Items(data), DataLoader(Items(data), size)):
        whole = labels(every(form, size, 3))
        with mock.patch.object(LoaderSource, "_differs", return_value=False):  # which ranks ask one another
            parts = [labels(every(form, size, 3, ranks=Ranks(ranks, rank))) for rank in range(ranks)]
        assert [list(chain(*shares)) for shares in zip(*parts, strict=True)] == whole


def test_orders_are_functions_of_seed_and_epoch_and_leave_the_random_state():
    before = torch.get_rng_state()
    found = {(seed, epoch): tuple(order(20, seed, epoch).tolist()) for seed in range(5) for epoch in range(5)}
    assert len(set(found.values())) == 25
    assert all(tuple(order(20, *key).tolist()) == one for key, one in found.items())
    list(every(Items((X, Y)), seed=1))
    assert torch.equal(before, torch.get_rng_state())


def test_the_order_is_the_same_on_every_machine_for_ever():
    assert order(8, 0, 1).tolist() == [5, 6, 4, 3, 1, 7, 2, 0]
    assert mix(0, 1) == 2918264622725855778
    assert mix(-1, 1) == mix(2**64 - 1, 1)
    assert all(0 <= mix(seed, epoch) < 2**63 for seed in (0, -1, 2**70) for epoch in (1, 10**6))


def test_tensors_are_sliced_and_not_copied():
    batches = every((X, Y))
    assert all(inputs.data_ptr() == X[4 * number :].data_ptr() for number, (inputs, _) in enumerate(batches))


@pytest.mark.parametrize("seed", [None, 0])
def test_a_batch_is_made_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, seed: int | None):
    """A million small batches of one block at once would take seconds and a gigabyte."""
    made = 0

    def counted(batch: Any, index: Any) -> Any:
        nonlocal made
        made += 1
        return take(batch, index)

    monkeypatch.setattr(batches, "take", counted)
    data = torch.zeros(10_000, 1), torch.zeros(10_000)
    next(iter(source(data, 1, seed, ALONE, CPU).batches(1)))
    assert made == 2  # the samples of the epoch, and of them one batch


def test_the_length_of_a_loader_is_known_or_0():
    assert len(source(DataLoader(TensorDataset(X, Y), 4), None, None, ALONE, CPU)) == 3
    assert len(source(Stream((X, Y)), 4, None, ALONE, CPU)) == 0
    assert len(source((X, Y), 4, None, ALONE, CPU)) == 3


class Resettable(RandomSampler):
    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.epochs: list[int] = []

    def set_epoch(self, epoch: int) -> None:
        self.epochs.append(epoch)


def test_a_sampler_that_wants_the_epoch_is_told():
    sampler = Resettable(range(11))
    loader = source(DataLoader(TensorDataset(X, Y), 4, sampler=sampler), None, None, ALONE, CPU)
    for epoch in (1, 2, 5):
        list(loader.batches(epoch))
    assert sampler.epochs == [1, 2, 5]


# --- arrays ---------------------------------------------------------------------------------------------------------


def read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("lay", [lambda a: a, read_only, lambda a: a[::-1], np.asfortranarray, lambda a: a.T.copy().T])
def test_arrays_of_every_layout_are_data(lay: Any):
    array = np.arange(22, dtype=np.float32).reshape(11, 2)
    batches = every((lay(array), np.arange(11)))
    assert torch.equal(torch.cat([inputs for inputs, _ in batches]), torch.from_numpy(lay(array).copy()))
    assert labels(batches) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]


def test_arrays_are_shared_where_torch_can():
    array = np.zeros((11, 1), dtype=np.float32)
    assert every((array, Y))[0][0].data_ptr() == array.ctypes.data


@pytest.mark.parametrize("array", [np.array(["a"] * 11), np.array([object()] * 11), np.arange(11, dtype=">i4")])
def test_arrays_that_are_no_numbers_of_torch_get_a_sentence(array: np.ndarray):
    with pytest.raises(ts.DataError, match=rf"^an array of {array.dtype} cannot be trained on: "):
        every((array, Y))


# --- what is no data ------------------------------------------------------------------------------------------------


class NoLength(Dataset):
    def __getitem__(self, position: int) -> Any:
        return X[position], Y[position]


class Once(IterableDataset):
    """An iterator that can be gone over only once, as of an open file."""

    def __init__(self) -> None:
        self.rows = iter(list(zip(X, Y, strict=True)))

    def __iter__(self) -> Any:
        return self.rows


@pytest.mark.parametrize(
    "data, sentence",
    [
        ((X[:0], Y[:0]), r"^the data are empty: there are no samples to go over\.$"),
        (Subset(TensorDataset(X, Y), []), r"^the data set is empty: there are no samples to go over\.$"),
        ((X, Y[:5]), r"^inputs has 11 samples and targets has 5: the first dimension of every tensor must be"),
        (({"a": X, "b": X[:3]}, Y), r"^inputs\['a'\] has 11 samples and inputs\['b'\] has 3"),
        ((torch.tensor(1.0), Y), r"^inputs is a single number"),
        (((None, None)), r"^a batch needs at least one tensor"),
        (([1.0, 2.0], [0, 1]), r"^data in memory must be tensors or arrays, and not float\.$"),
        ((X, Y, X), r"^the data must be \(inputs, targets\), a data set or a loader, and not tuple: give two tensors"),
        (X, r"a loader, and not Tensor: "),
        (X.numpy(), r"a loader, and not ndarray: "),
        ({"x": X, "y": Y}, r"a loader, and not dict: "),
        ("mnist", r"a loader, and not str: "),
        (None, r"a loader, and not NoneType: "),
        (NoLength(), r"^the data set NoLength has no __len__: give it one, or make it an IterableDataset\.$"),
        (TensorDataset(X), r"^a batch must be \(inputs, targets\), and the loader gave 1 items: let its data set"),
        (TensorDataset(X, Y, Y), r"and the loader gave 3 items"),
        (DataLoader(list(X), 4), r"and the loader gave Tensor"),  # pyright: ignore[reportArgumentType]
        (DataLoader([{"a": 1}], 1), r"and the loader gave dict"),  # pyright: ignore[reportArgumentType]
        (DataLoader(TensorDataset(X, Y), 16, drop_last=True), r"^the loader gave no batches: look for empty"),
        (DataLoader(TensorDataset(X[:0], Y[:0]), 4), r"^the loader gave no batches"),
    ],
)  # fmt: skip
def test_what_is_no_data_gets_a_sentence(data: Any, sentence: str):
    with pytest.raises(ts.DataError, match=sentence):
        every(data, None)


def test_an_iterator_that_is_used_up_is_noticed_in_the_second_epoch():
    train = source(Once(), 4, None, ALONE, CPU)
    assert len(list(train.batches(1))) == 3
    with pytest.raises(ts.DataError, match=r"or for an iterator that can be gone over only once\.$"):
        list(train.batches(2))


@pytest.mark.parametrize("size", [0, -1, 2.0, "4"])
def test_a_batch_size_that_is_none_gets_a_sentence(size: Any):
    with pytest.raises(ts.ConfigError, match=r"^batch_size is a number of samples, at least 1, and not "):
        every((X, Y), size)


def test_a_batch_size_that_contradicts_the_loader_gets_a_sentence():
    loader = DataLoader(TensorDataset(X, Y), 4)
    assert len(every(loader, 4)) == 3
    with pytest.raises(ts.ConfigError) as caught:
        every(loader, 5)
    assert str(caught.value) == (
        "batch_size=5 contradicts the loader, which has 4: leave it out, or give the data set itself."
    )


def test_a_loader_of_ready_batches_is_taken_as_it_is():
    ready: list[tuple[Tensor, Tensor]] = [(X[:3], Y[:3]), (X[3:], Y[3:])]
    batches = every(DataLoader(ready, batch_size=None), None)  # pyright: ignore[reportArgumentType]
    assert labels(batches) == [[0, 1, 2], list(range(3, 11))]
