"""What is told of a batch of sequences that was filled up to one length, and of arithmetic in narrow arrays."""

import numpy as np
import pytest
import torch

import truestep as ts
from truestep.check.padding import tail


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


def test_arithmetic_of_bytes_is_done_again_where_its_operands_are_at_hand():
    frames = np.arange(0, 240, 10, dtype=np.uint8).reshape(6, 4)

    def slices():
        motion = frames[:-1] - frames[1:]
        return torch.from_numpy(motion)

    def number():
        images = frames
        doubled = images * 2
        return torch.from_numpy(doubled)

    def fits():
        images = frames
        brighter = images + 10
        return torch.from_numpy(brighter)

    assert watched(slices) == watched(number) == ["integer_wrap"]
    assert watched(fits) == []


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
