"""Numbers that are converted to narrow integers: some come out as others, and all that are small as zero."""

import warnings

import numpy as np
import pytest

from truestep.check.watch import Watching
from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

PICTURES = """
rng = np.random.default_rng(0)
clean = rng.integers(0, 256, (96, 6))
pixels = MADE
inputs = torch.as_tensor(pixels).float() / 255
for epoch in range(3):
    for rows in torch.randperm(96).split(16):
        update(inputs[rows], y[rows])
"""


@pytest.mark.parametrize(
    "made, told",
    [
        ("(clean + rng.normal(0, 30, clean.shape)).astype(np.uint8)", True),
        ("(clean + rng.normal(0, 30, clean.shape)).clip(0, 255).astype('uint8')", False),
        ("(clean / 256).astype(dtype=np.uint8)", True),
        ("(clean / 256 > 0.5).astype(np.uint8)", False),
        ("(clean * 31 + 7).astype(np.uint8)", True),
        ("(clean * 31 + 7 & 255).astype(np.uint8)", False),
        ("np.where(clean > 250, -1, clean).astype(np.uint8)", False),  # the number for what is to be ignored
        ("(torch.from_numpy(clean) / 256).to(torch.uint8)", True),
        ("(torch.from_numpy(clean) / 256 * 255).to(torch.uint8)", False),
        ("(torch.rand(96, 6) + 0.3).to(torch.uint8)", False),  # drawn: 1 for three in ten
    ],
)
def test_a_conversion_is_told_where_numbers_are_lost(found, made, told):
    assert ("integer_wrap" in found(PICTURES.replace("MADE", made))) == told


def test_numpys_own_conversion_stands_in_its_place_afterwards_and_warns_where_it_was_called():
    was = np.ndarray.astype
    with Watching(strict=True), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert np.array([1.5, 2.0]).astype(np.uint8).tolist() == [1, 2]
        with pytest.raises(TypeError):
            np.zeros(3).astype("no type")
        np.array([np.nan]).astype(np.int64)
    assert np.ndarray.astype is was
    assert [each.filename for each in told] == [__file__]
