"""Which checkpoints are kept, which one a run goes on from, and what is said of the others."""

import os
from pathlib import Path

import pytest
import torch

from truestep.core.errors import CheckpointError, ConfigError
from truestep.store.checkpoint import read
from truestep.store.keep import Kept


def save(kept, *steps, healthy=True):
    for step in steps:
        kept.save(step, {"w": torch.full((3,), float(step))}, {"step": step}, healthy)


def held(folder):
    """The steps in a folder, an unhealthy one as a negative number."""
    names = sorted(os.listdir(folder))
    return [(-1 if "unhealthy" in name else 1) * int(name[5:15]) for name in names]


def damage(path: Path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def newest(kept):
    found = kept.newest()
    assert found is not None
    path, state, skipped = found
    assert read(path).plain == state.plain
    assert state.tensors["w"].eq(state.plain["step"]).all()
    return state.plain["step"], skipped


def test_the_last_ones_are_kept_and_the_newest_is_found(tmp_path):
    kept = Kept(tmp_path / "a" / "b", last=2)
    assert kept.newest() is None
    save(kept, 0, 10, 20)
    assert held(kept.folder) == [10, 20]
    assert newest(kept) == (20, [])
    assert kept.save(30, {}, {}) == kept.folder / "step-0000000030.safetensors"


def test_a_step_saved_again_replaces_itself(tmp_path):
    kept = Kept(tmp_path, last=2)
    save(kept, 1, 2, 2, 2)
    assert held(tmp_path) == [1, 2]


def test_a_damaged_one_is_passed_over_with_a_sentence(tmp_path):
    kept = Kept(tmp_path)
    save(kept, 1, 2, 3)
    damage(tmp_path / "step-0000000003.safetensors")
    (tmp_path / "step-0000000002.safetensors").write_bytes(b"")
    step, skipped = newest(kept)
    assert step == 1
    assert [sentence.split(" is ")[1] for sentence in skipped] == [
        "damaged: the bytes of 'truestep.json' do not match their checksum; take an older one, or a sound copy",
        "cut short: it has 0 bytes; take an older one, or a sound copy",
    ]


def test_where_none_can_be_read_the_run_does_not_begin_anew_unasked(tmp_path):
    kept = Kept(tmp_path)
    save(kept, 1)
    damage(tmp_path / "step-0000000001.safetensors")
    with pytest.raises(
        CheckpointError, match=r"^none of the 1 checkpoints in .* can be read: .* is damaged: the bytes"
    ):
        kept.newest()


@pytest.mark.parametrize("last", [1, 2, 3])
def test_the_last_healthy_one_is_never_dropped_and_is_the_one_to_go_on_from(tmp_path, last):
    kept = Kept(tmp_path, last)
    save(kept, 1, 2)
    save(kept, 3, 4, 5, 6, healthy=False)
    unhealthy = [-3, -4, -5, -6][-last:]
    assert held(tmp_path) == [2, *unhealthy]
    step, skipped = newest(kept)
    assert step == 2
    assert [sentence.partition(".unhealthy")[0][-2:] for sentence in skipped] == [f"0{-k}" for k in unhealthy[::-1]]
    assert skipped[0].endswith("holds an unhealthy state and is passed over")
    save(kept, 7, 8, 9)
    assert held(tmp_path) == [7, 8, 9][-last:]


def test_a_damaged_healthy_one_does_not_count_as_the_last_healthy_one(tmp_path):
    kept = Kept(tmp_path, last=2)
    save(kept, 1, 2)
    damage(tmp_path / "step-0000000002.safetensors")
    save(kept, 3, 4, healthy=False)
    assert held(tmp_path) == [1, 2, -3, -4]  # the damaged one stays too: it may be the disk that fails just now
    assert newest(kept)[0] == 1
    save(kept, 5, 6)
    assert held(tmp_path) == [5, 6]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.complex64, torch.float8_e5m2])
def test_a_nan_makes_a_state_unhealthy_whatever_the_caller_says(tmp_path, dtype):
    kept = Kept(tmp_path)
    save(kept, 5)
    good = kept.save(6, {"mask": torch.tensor([0.0, -float("inf")]), "count": torch.ones(2, dtype=torch.int64)}, {})
    bad = kept.save(6, {"w": torch.tensor([1.0, float("nan")]).to(dtype)}, {})
    assert (good.name, bad.name) == ("step-0000000006.safetensors", "step-0000000006.unhealthy.safetensors")
    assert good.exists()


def test_infinities_that_cancel_are_no_nan(tmp_path):
    path = Kept(tmp_path).save(1, {"mask": torch.tensor([float("inf"), -float("inf")])}, {})
    assert path.name == "step-0000000001.safetensors"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes and devices among files are things of Unix")
def test_pipes_devices_and_folders_that_bear_the_name_of_a_checkpoint_are_passed_over(tmp_path):
    kept = Kept(tmp_path, last=4)
    save(kept, 1)
    os.mkfifo(tmp_path / "step-0000000004.safetensors")
    (tmp_path / "step-0000000003.safetensors").symlink_to("/dev/zero")
    (tmp_path / "step-0000000002.safetensors").mkdir()
    step, skipped = newest(kept)
    assert step == 1
    assert [sentence.partition("safetensors ")[2][:36] for sentence in skipped] == [
        "is no file that can hold a checkpoin",
        "is no file that can hold a checkpoin",
        "cannot be read: Is a directory; see ",
    ]
    save(kept, 5, healthy=False)  # looks for the last healthy one


def test_where_all_are_unhealthy_the_newest_is_taken(tmp_path):
    kept = Kept(tmp_path)
    save(kept, 1, 2, healthy=False)
    assert newest(kept) == (2, [])


def test_what_lies_ahead_of_the_saved_step_goes_first(tmp_path):
    kept = Kept(tmp_path, last=3)
    save(kept, 10, 20, 30)
    damage(tmp_path / "step-0000000030.safetensors")
    save(kept, 25)
    assert held(tmp_path) == [10, 20, 25]


def test_leftovers_of_killed_writers_go_and_files_of_others_stay(tmp_path):
    for name in (".0123456789abcdef.tmp", "mine.txt", ".tmp", "step-7.safetensors", "step-0000000009.safetensors.bak"):
        (tmp_path / name).write_bytes(b"x")
    kept = Kept(tmp_path, last=1)
    assert kept.newest() is None
    assert (tmp_path / ".0123456789abcdef.tmp").exists()  # who only looks may look while another writes
    save(kept, 1, 2)
    found = sorted(os.listdir(tmp_path))
    assert found == [
        ".tmp",
        "mine.txt",
        "step-0000000002.safetensors",
        "step-0000000009.safetensors.bak",
        "step-7.safetensors",
    ]


def test_a_link_in_the_folder_is_replaced_and_dropped_and_what_it_points_to_is_left_alone(tmp_path):
    thesis, folder = tmp_path / "thesis", tmp_path / "run"
    thesis.write_bytes(b"mine")
    folder.mkdir()
    for step in (1, 2):
        (folder / f"step-{step:010d}.safetensors").symlink_to(thesis)
    kept = Kept(folder, last=1)
    save(kept, 2)
    assert held(folder) == [2]
    assert thesis.read_bytes() == b"mine"


def test_a_folder_that_cannot_be_one_is_said(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"file cannot be listed \(Not a directory\): give the folder that holds"):
        Kept(tmp_path / "file").newest()
    with pytest.raises(ConfigError, match=r"^last is 0: at least one checkpoint must be kept$"):
        Kept(tmp_path, last=0)
