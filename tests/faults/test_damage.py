"""Every flipped bit and every cut of a checkpoint is found before anything of it is handed out."""

import os
import random

import pytest
import torch

from truestep.core.errors import CheckpointError
from truestep.store.checkpoint import read, write

CLAIM = "every flipped bit and truncation is detected"


@pytest.fixture
def small(tmp_path):
    tensors = {"w": torch.arange(6.0).reshape(2, 3), "n": torch.tensor([True, False]), "none": torch.empty(0, 2)}
    write(tmp_path / "small", tensors, {"step": 3, "loss": float("nan"), "names": ["a", "b"]})
    return tmp_path / "small"


def is_refused(path):
    try:
        read(path)
        return False
    except CheckpointError as failure:
        said = str(failure)
    assert said.startswith(str(path))
    assert "\n" not in said
    return True


def unfound(path, flips):
    """The flips, as (byte, bits), that are not found in the file at `path`."""
    handle = os.open(path, os.O_RDWR)
    missed = []
    for place, bits in flips:
        sound = os.pread(handle, 1, place)
        os.pwrite(handle, bytes([sound[0] ^ bits]), place)
        if not is_refused(path):
            missed.append((place, bits))
        os.pwrite(handle, sound, place)
    os.close(handle)
    read(path)  # sound again
    return missed


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.long)])
def test_every_flip_in_a_small_file_is_found(small, figure, every):
    size = small.stat().st_size
    masks = range(1, 256) if every else None  # all that may become of a byte, or one bit of it
    flips = [(place, bits) for place in range(size) for bits in masks or [1 << place % 8]]
    missed = unfound(small, flips)
    how = "every other value" if every else "one flipped bit"
    figure(CLAIM, f"{how} in each byte of a file of {size:,}", f"{len(flips):,} files", f"{len(missed)} undetected")
    assert missed == []


@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=pytest.mark.long)])
def test_flips_anywhere_in_a_large_file_are_found(tmp_path, figure, count):
    tensors = {f"layer{k}.weight": torch.randn(500, 500) for k in range(8)}
    write(tmp_path / "large", tensors, {"history": [k / 7 for k in range(1000)]})
    size, draw = (tmp_path / "large").stat().st_size, random.Random(1)
    missed = unfound(tmp_path / "large", [(draw.randrange(size), 1 << draw.randrange(8)) for _ in range(count)])
    figure(CLAIM, f"random flipped bits in a file of {size:,} bytes", f"{count:,} files", f"{len(missed)} undetected")
    assert missed == []


def test_every_cut_and_every_addition_is_found(small, figure):
    sound = small.read_bytes()
    cuts = [sound[:length] for length in range(len(sound))]
    more = [sound + bytes(count) for count in (1, 7, 8, 4096)] + [sound + sound, b"\0" + sound]
    holes = [sound[:length] + bytes(len(sound) - length) for length in range(len(sound) - 1)]
    taken = []
    for content in [*cuts, *more, *holes]:
        small.write_bytes(content)
        if not is_refused(small):
            taken.append(len(content))
    figure(
        CLAIM,
        "cut at every length, or zeros from there",
        f"{len(cuts) + len(holes):,} files",
        f"{len(taken)} undetected",
    )
    assert taken == []


def test_parts_that_change_places_are_found(tmp_path):
    write(tmp_path / "c", {"a": torch.zeros(4), "b": torch.ones(4)}, {})
    sound = (tmp_path / "c").read_bytes()
    zeros, ones = bytes(16), torch.ones(4).numpy().tobytes()
    assert sound.count(zeros + ones) == 1
    (tmp_path / "c").write_bytes(sound.replace(zeros + ones, ones + zeros))
    with pytest.raises(
        CheckpointError, match=r"c is damaged: the bytes of 'a' do not match their checksum; take an older"
    ):
        read(tmp_path / "c")
