"""What is told of a batch of sequences that was filled up to one length, and of arithmetic in narrow arrays."""

import gc
import multiprocessing
import os
import weakref

import numpy as np
import pytest
import torch

import truestep as ts
from truestep.check import arrays
from truestep.check.padding import tail
from truestep.check.watch import Watching


def test_rows_that_end_in_runs_of_one_value_are_padded():
    rows = torch.tensor([[3, 4, 5, 9], [3, 9, 0, 0], [5, 4, 9, 0]])
    assert tail(rows) == (0.0, 3, 12, True)
    vectors = torch.rand(3, 4, 2) + 1
    vectors[1, 2:], vectors[2, 3:] = 0, 0
    assert tail(vectors) == (0.0, 3, 12, False)


def test_the_token_before_the_padding_is_told_apart():
    told = tail(torch.tensor([[3, 4, 5, 9], [3, 8, 0, 0], [5, 4, 9, 0]]))
    assert told is not None
    assert not told.ended


@pytest.mark.parametrize(
    "rows",
    [
        [[3, 0, 5, 9], [3, 9, 0, 0], [5, 4, 9, 0]],  # the value stands in the midst of a row
        [[3, 4, 0, 0], [5, 6, 0, 0]],  # all rows are as long
        [[3, 4, 5, 0], [5, 6, 7, 8]],  # a single zero is a token like any other
        [[0, 0, 0, 0], [5, 6, 0, 0]],  # a row of nothing else
    ],
)
def test_what_may_be_data_is_not_called_padding(rows):
    assert tail(torch.tensor(rows)) is None


def watched(work):
    with ts.watch() as report:
        work()
    return [finding.name for finding in report.findings]


def test_arithmetic_of_bytes_is_done_again_in_wide_integers():
    frames = np.arange(0, 240, 10, dtype=np.uint8).reshape(6, 4)

    def slices():
        return torch.from_numpy(frames[:-1] - frames[1:])

    def number():
        return torch.from_numpy(frames * 2)

    def kept_in_place():
        images = frames.copy()
        images += 100
        return torch.tensor(images)

    def through_numpy():
        return torch.tensor(np.diff(frames[::-1], axis=0)).float()

    def fits():
        return torch.from_numpy(frames + 10), int(frames.sum())

    for wraps in (slices, number, kept_in_place, through_numpy):
        assert watched(wraps) == ["integer_wrap"], wraps.__name__
    assert watched(fits) == []


def test_arithmetic_in_a_helper_that_has_returned_is_seen():
    class Frames(torch.utils.data.Dataset):
        def __init__(self):
            self.frames = np.arange(0, 240, 10, dtype=np.uint8).reshape(6, 4)

        def __len__(self):
            return 6

        def __getitem__(self, item):
            return torch.tensor(self.louder(self.frames[item]) / 255.0)

        def louder(self, frame):
            return frame * np.uint8(3)

    assert watched(lambda: list(torch.utils.data.DataLoader(Frames(), 2))) == ["integer_wrap"]


def test_arithmetic_that_is_meant_to_wrap_is_no_finding():
    first = np.arange(0, 240, 10, dtype=np.uint8)
    second = first[::-1].copy()

    def chosen():
        return np.where(first > second, first - second, second - first), np.minimum(first - second, second - first)

    def remainder():
        return (first * 7) % 16, (first + second * 3) & 15

    def mended():
        total = first + second
        total[total < first] = 255
        return total

    def read_with_a_sign():
        angles = torch.arange(0, 1200, 70).remainder(256).to(torch.uint8)
        return (angles[1:] - angles[:-1]).view(torch.int8).float()

    assert watched(chosen) == watched(remainder) == watched(mended) == watched(read_with_a_sign) == []


def test_numpys_own_arithmetic_is_put_back():
    def own():
        was = arrays._replaced(np, np.add, arrays.KINDS["uint8"], None)
        arrays._replaced(np, np.add, arrays.KINDS["uint8"], was)
        return was

    before, inside = own(), []
    watched(lambda: inside.append(own()))
    assert own() == before != inside[0]
    bytes_ = np.full(4, 200, dtype=np.uint8)
    watched(lambda: [bytes_ + 1 for _ in range(arrays.LOOKS + 1)] and inside.append(own()))
    assert inside[1] == before, "after so many looks"


def test_no_record_is_kept_by_what_numpy_may_still_call():
    with Watching() as seen:
        np.full(4, 200, dtype=np.uint8) + np.uint8(1)
    record = weakref.ref(seen.recorder)
    del seen
    gc.collect()
    assert record() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_forked_worker_soon_has_numpys_own():
    def child():
        np.full(4, 200, dtype=np.uint8) + np.uint8(1)
        was = arrays._replaced(np, np.add, arrays.KINDS["uint8"], None)
        arrays._replaced(np, np.add, arrays.KINDS["uint8"], was)
        return was

    own = child()
    with Watching():
        fork = multiprocessing.get_context("fork")
        ours, theirs = fork.Pipe()
        worker = fork.Process(target=lambda: theirs.send(child()))
        worker.start()
        found = ours.recv() if ours.poll(60) else None
        worker.join()
    assert found == own


def test_a_line_that_may_never_have_run_is_not_done_again():
    def work(bright):
        images = np.full((4, 4), 200, dtype=np.uint8)
        if bright:
            other = images + 100
            return torch.from_numpy(other)
        other = images + 10
        return torch.from_numpy(other)

    assert watched(lambda: work(False)) == []
    assert watched(lambda: work(True)) == ["integer_wrap"]


def test_a_number_less_a_tensor_is_written_down_in_that_order():
    images = torch.full((4, 4), 200, dtype=torch.uint8)
    assert watched(lambda: 255 - images) == []
    assert watched(lambda: 100 - images) == ["integer_wrap"]


def test_numbers_that_a_narrow_type_has_no_room_for_are_told():
    light = torch.linspace(0, 1.2, 12)
    assert watched(lambda: (light * 255).to(torch.uint8)) == watched(lambda: (light * 255).byte()) == ["integer_wrap"]
    assert watched(lambda: (light * 255).clamp(0, 255).to(dtype=torch.uint8)) == []
    assert watched(lambda: torch.tensor([3, -1, 7]).to(torch.uint8)) == [], "an ignored label"
    assert watched(lambda: light.to(torch.float64)) == []
