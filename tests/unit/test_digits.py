"""The shipped digits are the published ones, in the shapes that are promised, and found by name."""

import hashlib
import importlib

import numpy as np
import pytest
import torch

from truestep.core.errors import ConfigError, DataError
from truestep.data import digits, load
from truestep.data.digits import FILE, resize

MODULE = importlib.import_module("truestep.data.digits")  # its name in the package is the function's


def test_the_pixels_and_labels_are_the_published_ones():
    (train, train_labels), (test, test_labels) = digits(8)
    ink = torch.cat([train, test]).mul(16).to(torch.uint8).numpy()
    labels = torch.cat([train_labels, test_labels]).to(torch.uint8).numpy()
    published = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
    assert hashlib.sha256(ink.tobytes() + labels.tobytes()).hexdigest() == published
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


@pytest.mark.parametrize("size", [1, 5, 8, 20, 28, 32])
def test_every_size_gives_the_promised_shapes_types_and_range(size):
    split = digits(size)
    for (images, labels), count in zip(split, (1437, 360), strict=True):
        assert images.shape == (count, 1, size, size)
        assert images.dtype == torch.float32
        assert labels.shape == (count,)
        assert labels.dtype == torch.int64
        assert 0 <= images.min() < images.max() <= 1
        assert labels.unique().tolist() == list(range(10))
    assert split.classes == tuple("0123456789")


def test_resizing_keeps_the_weight_and_the_place_of_the_ink():
    for (small, _), (large, _) in zip(digits(8), digits(28), strict=True):
        torch.testing.assert_close(large.mean((1, 2, 3)), small.mean((1, 2, 3)), atol=0.02, rtol=0)
        where = torch.linspace(-1, 1, 57)[1::2]  # centres of 28 pixels across [-1, 1]
        middle = (large.sum(2)[:, 0] @ where) / large.sum((1, 2, 3))
        where = torch.linspace(-1, 1, 17)[1::2]
        expected = (small.sum(2)[:, 0] @ where) / small.sum((1, 2, 3))
        torch.testing.assert_close(middle, expected, atol=0.05, rtol=0)


def test_shrinking_averages_and_does_not_skip_pixels():
    dot = torch.zeros(1, 1, 8, 8)
    dot[..., 0, 0] = 1
    assert resize(dot, 2)[0, 0, 0, 0] > 1 / 32  # a sixteenth of its quarter is lit


def test_two_calls_share_no_memory():
    first, second = digits(8), digits(8)
    first.train[0].zero_()
    assert second.train[0].any()


def test_a_split_is_told_in_one_line_and_not_in_numbers():
    assert repr(digits(8)) == "Split(digits: 1,437 to train, 360 to test, of 1 x 8 x 8)"


@pytest.mark.parametrize("size", [0, -28, 28.0, True, "28"])
def test_a_size_that_is_no_number_of_pixels_is_refused(size):
    with pytest.raises(ConfigError, match=r"^size is .*, and an image's side is a whole number of pixels, 1 or more"):
        digits(size)


def test_a_damaged_file_is_refused_in_one_sentence(tmp_path, monkeypatch):
    content = bytearray(FILE.read_bytes())
    content[20_000] ^= 1
    damaged = tmp_path / "digits.npz"
    damaged.write_bytes(content)
    monkeypatch.setattr(MODULE, "FILE", damaged)
    with pytest.raises(
        DataError, match=r"digits\.npz: the shipped digits are damaged \(sha256 .*install truestep again$"
    ):
        digits()


def test_a_missing_file_is_refused_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(MODULE, "FILE", tmp_path / "digits.npz")
    with pytest.raises(DataError, match=r"digits\.npz: the shipped digits cannot be read \(No such file.*install"):
        digits()


def test_the_digits_are_the_default_of_load():
    assert torch.equal(load().test[0], digits().test[0])
    assert torch.equal(load("digits", size=8).train[0], digits(8).train[0])


def test_an_unknown_name_is_refused_with_the_names_and_the_nearest_one():
    with pytest.raises(
        ConfigError, match=r"no data set 'mnits'; did you mean 'mnist'\? the names are digits, mnist, fash"
    ):
        load("mnits")
    with pytest.raises(ConfigError, match=r"no data set 'FashionMNIST'; did you mean 'fashion-mnist'\?"):
        load("FashionMNIST")
    with pytest.raises(
        ConfigError, match=r"no data set 'imagenet'; the names are digits, mnist, fashion-mnist, or give"
    ):
        load("imagenet")
