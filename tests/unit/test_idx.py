"""IDX files are read as they were written, and data sets are found where they are."""

import gzip
import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from truestep.core.errors import ConfigError, DataError
from truestep.data import digits, load, load_idx, read_idx
from truestep.data.sources import PLACES

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
SHARED = Path(__file__).parents[3] / "shared" / "data"


def written(array):
    """The obvious writer: magic, extents, numbers, all big-endian."""
    kind = array.dtype.str[1:]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, CODES[kind], array.ndim, *array.shape)
    return header + array.astype(">" + kind).tobytes()


def put_part(folder, part, count, pack=False, first=0):
    """A part of `count` images 4x4, of which image i is filled with i and labelled i % 10, from `first` on."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = np.arange(first, first + count, dtype=np.uint8)
    for what, array in (
        ("images-idx3", numbers.repeat(16).reshape(count, 4, 4)),
        ("labels-idx1", numbers % 10),
    ):
        content = written(array)
        path = folder / f"{part}-{what}-ubyte{'.gz' if pack else ''}"
        path.write_bytes(gzip.compress(content) if pack else content)


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.delenv("TRUESTEP_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def real_mnist():
    for place in (os.environ.get("TRUESTEP_DATA", ""), SHARED, SHARED / "mnist"):
        if place and list(Path(place).glob("**/t10k-images-idx3-ubyte.gz")):
            return Path(place)
    pytest.skip("MNIST's test files are neither in ../shared/data nor where TRUESTEP_DATA points")


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 5), (2, 1, 2, 2, 1), (0,), (3, 0, 2)])
@pytest.mark.parametrize("kind", CODES)
def test_what_was_written_is_read(tmp_path, kind, shape, pack):
    array = np.random.default_rng(0).integers(-100, 100, shape).astype(kind)
    path = tmp_path / "any.name"
    path.write_bytes(gzip.compress(written(array)) if pack else written(array))
    found = read_idx(path)
    assert found.dtype == torch.from_numpy(array).dtype
    assert found.shape == shape
    assert np.array_equal(found.numpy(), array)
    found += 1  # a tensor of its own: writable, and nothing is written to the file
    assert np.array_equal(read_idx(str(path)).numpy(), array)


def test_a_payload_of_many_pieces_arrives_whole(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (300, 28, 28), dtype=np.uint8)
    (tmp_path / "packed").write_bytes(gzip.compress(written(array)))
    assert np.array_equal(read_idx(tmp_path / "packed").numpy(), array)


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("place", [".", "MNIST/raw", "FashionMNIST/raw"])
def test_a_folder_of_both_parts_is_its_own_split(tmp_path, place, pack):
    put_part(tmp_path / place, "train", 30, pack)
    put_part(tmp_path / place, "t10k", 12, pack, first=100)
    split = load_idx(tmp_path)
    (train, train_labels), (test, test_labels) = split
    assert train.shape == (30, 1, 4, 4)
    assert test.shape == (12, 1, 4, 4)
    assert train.dtype == torch.float32
    assert train_labels.dtype == torch.int64
    torch.testing.assert_close(train[:, 0, 3, 2], torch.arange(30) / 255)
    torch.testing.assert_close(test[:, 0, 0, 0], torch.arange(100, 112) / 255)
    assert test_labels.tolist() == [i % 10 for i in range(100, 112)]
    assert split.note == ""


@pytest.mark.parametrize("part", ["train", "t10k"])
def test_one_part_alone_is_split_at_four_fifths_and_says_so(tmp_path, part):
    put_part(tmp_path, part, 10)
    split = load_idx(tmp_path)
    assert split.train[1].tolist() == list(range(8))
    assert split.test[1].tolist() == [8, 9]
    assert split.note == f"only the {part} files are there: their first 8 train, their last 2 test"


def test_the_files_of_another_naming_are_found(tmp_path):
    put_part(tmp_path, "t10k", 10)
    for path in list(tmp_path.glob("t10k-*")):
        path.rename(tmp_path / path.name.replace("-idx", ".idx"))
    assert len(load_idx(tmp_path).train[0]) == 8


def test_real_mnist_is_read(real_mnist):
    split = load("mnist", root=real_mnist)
    assert len(split.test[0]) in (2_000, 10_000)
    assert split.train[0].shape[1:] == (1, 28, 28)
    assert 0 == split.train[0].min() < split.train[0].max() == 1
    if split.note:
        assert split.note == "only the t10k files are there: their first 8,000 train, their last 2,000 test"
        assert split.train[1][:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
        counts = torch.cat([split.train[1], split.test[1]]).bincount()
        assert counts.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_real_mnist_is_not_taken_for_fashion(real_mnist, tmp_path):
    for path in real_mnist.glob("**/t10k-*.gz"):
        shutil.copy(path, tmp_path)
    assert load("mnist", root=tmp_path).name == "mnist"
    with pytest.raises(DataError, match=r"^fashion-mnist is not in "):
        load("fashion-mnist", root=tmp_path)


@pytest.mark.parametrize(
    "name,place",
    [(name, place) for name, places in PLACES.items() for place in places],
)
@pytest.mark.parametrize("by", ["root", "TRUESTEP_DATA", "the cache"])
def test_a_set_is_found_in_its_places(tmp_path, monkeypatch, name, place, by):
    folder = tmp_path / ("cache/truestep" if by == "the cache" else "somewhere")
    put_part(folder / place, "t10k", 10)
    if by == "TRUESTEP_DATA":
        monkeypatch.setenv("TRUESTEP_DATA", str(folder))
    split = load(name, size=4, root=folder if by == "root" else None)
    assert split.name == name
    assert split.test[1].tolist() == [8, 9]
    assert split.classes[9] == {"mnist": "9", "fashion-mnist": "Ankle boot"}[name]


def test_the_folder_of_one_set_is_never_searched_for_the_other(tmp_path):
    put_part(tmp_path / "FashionMNIST" / "raw", "t10k", 10)
    put_part(tmp_path / "fashion-mnist", "t10k", 10)
    with pytest.raises(DataError, match=r"^mnist is not in "):
        load("mnist", root=tmp_path)


def test_what_the_user_names_comes_before_the_cache(tmp_path, monkeypatch):
    put_part(tmp_path / "cache" / "truestep" / "mnist", "t10k", 10)
    put_part(tmp_path / "mine", "t10k", 5)
    monkeypatch.setenv("TRUESTEP_DATA", str(tmp_path / "mine"))
    assert len(load("mnist").train[0]) == 4
    with pytest.raises(DataError, match=r"^mnist is not in .*elsewhere \(looked in"):
        load("mnist", root=tmp_path / "elsewhere")


def test_a_path_is_a_folder_of_idx_files_and_is_resized(tmp_path, monkeypatch):
    put_part(tmp_path / "mine", "t10k", 10)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "mine", str(tmp_path / "mine"), "mine"):
        split = load(path, size=6)
        assert split.train[0].shape == (8, 1, 6, 6)
        assert split.name == "mine"
    torch.testing.assert_close(split.train[0][7], torch.full((1, 6, 6), 7 / 255))
    with pytest.raises(ConfigError, match=r"^size is 0"):
        load("mine", size=0)


def test_the_digits_stand_in_when_asked_to_and_say_so(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUESTEP_DATA", "digits")
    split = load("mnist", size=8, fetch=True)
    assert torch.equal(split.test[0], digits(8).test[0])
    assert split.note == "the shipped digits stand in for mnist (TRUESTEP_DATA=digits)"
    with pytest.raises(DataError, match=r"^mnist is not in "):
        load("mnist", root=tmp_path)


def test_a_missing_set_says_where_it_was_looked_for_and_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUESTEP_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        load("mnist")
    assert str(caught.value) == (
        f"mnist is not in {tmp_path} and {tmp_path / 'cache' / 'truestep'} (looked in mnist, MNIST/raw, . there); set "
        "TRUESTEP_DATA to the folder of its files, fetch it with truestep.data.load('mnist', fetch=True), or set "
        "TRUESTEP_DATA=digits to take the shipped digits in its place"
    )
