"""What is noted of the rows that are trained on and scored: which they are, and whether they belong together."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from truestep.check.events import LoaderMade, Shuffled
from truestep.check.picks import places
from truestep.check.points import columns
from truestep.check.rules._ties import tie
from truestep.check.watch import Watching


@pytest.mark.parametrize(
    "index",
    [torch.tensor([3, 0, 1]), np.array([3, 0, 1]), [3, 0, 1], np.array([3, 0, 1], dtype=np.uint8)],
    ids=["tensor", "array", "list", "narrow"],
)
def test_rows_are_known_by_their_numbers_however_they_are_told(index):
    found = places(index)
    assert list(found.held) == [3, 0, 1]
    assert found.mark == places(torch.tensor([3, 0, 1])).mark != places([3, 1, 0]).mark
    assert not found.shuffles


def test_a_mask_stands_for_the_places_where_it_is_true():
    assert list(places(torch.tensor([False, True, True, False])).held) == [1, 2]
    assert list(places(np.array([True, False, True])).held) == [0, 2]


def test_an_order_of_all_rows_is_told_from_their_own_order():
    assert places(np.array([2, 0, 1])).shuffles
    assert not places(np.arange(3)).shuffles
    assert not places([2, 2, 1]).shuffles


@pytest.mark.parametrize("index", [slice(0, 2), 3, (torch.tensor([1, 2]), 0), ["a", "b"], torch.ones(2, 2) > 0])
def test_other_indices_pick_no_rows_by_number(index):
    assert places(index) is None


def test_a_product_of_signs_belongs_to_its_factors_and_to_no_others():
    draw = torch.Generator().manual_seed(0)
    rows = torch.randn(200, 3, generator=draw)
    sign = (rows[:, :1] * rows[:, 1:2] > 0).float()  # no single column says anything of it
    assert tie([(rows, sign)]).above > 8
    assert tie([(rows, sign[torch.randperm(200, generator=draw)])]).above < 3.5
    assert tie([(rows, torch.ones(200, 1))]) is None


def test_only_standardised_columns_are_as_good_as_standard():
    table = torch.randn(50, 3, dtype=torch.float64) * 4 + 2
    standard = (table - table.mean(0)) / table.std(0)
    assert max(columns(standard)[:2]) < 1e-9
    assert max(columns(((table - table.mean(0)) / table.std(0, correction=0)).float())[:2]) < 1e-5
    assert max(columns(standard[:40])[:2]) > 1e-3
    assert columns(standard[:12]) is columns(standard.long()) is columns(standard[0]) is None


class Held(Dataset):
    def __init__(self, values, flag):
        self.values, self.flag = values, flag

    def __len__(self):
        return len(self.values)

    def __getitem__(self, index):
        return self.values[index]


def made(*datasets):
    with Watching(strict=True) as seen:
        for each in datasets:
            DataLoader(each, batch_size=4)
    return [event.stored for event in seen.trace.of(LoaderMade)]


@pytest.mark.parametrize("kind", [torch.tensor, np.array, list])
def test_data_sets_of_the_same_content_are_known_by_it(kind):
    values = [float(each) for each in range(12)]
    one, same, other = made(Held(kind(values), True), Held(kind(values), False), Held(kind(values[::-1]), True))
    assert one == same != other
    assert one


def test_the_tensors_of_a_tensor_data_set_count():
    rows = torch.randn(10, 2)
    one, same, other = made(TensorDataset(rows), TensorDataset(rows.clone()), TensorDataset(rows + 1))
    assert one == same != other


def test_the_order_of_a_shuffle_is_known():
    with Watching(strict=True) as seen:
        for seed in (1, 1, 2):
            np.random.seed(seed)
            np.random.permutation(30)
    one, same, other = [event.order for event in seen.trace.of(Shuffled)]
    assert one == same != other


def test_points_are_taken_of_inputs_and_of_targets():
    net = nn.Linear(3, 2)
    with Watching(strict=True) as seen:
        nn.functional.cross_entropy(net(torch.ones(6, 3)), torch.tensor([0, 1, 0, 1, 1, 0])).backward()
    given, wanted = seen.trace.ops("points")
    assert (given.args[2:], wanted.args[2:]) == ((6, 3), (6, 1))
    assert list(wanted.words["points"]) == [0, 1, 0, 1, 1, 0]
    assert list(given.words["points"]) == [1] * 18
