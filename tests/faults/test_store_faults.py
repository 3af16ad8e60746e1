"""Full disks, broken disks and kills: a file is always the old one or the new one, whole."""

import errno
import os
import random
import subprocess
import sys
import time

import pytest
import torch

from faults.disk import BadDisk
from truestep.core.errors import DataError
from truestep.store.atomic import StoreError, make_folder, write_bytes
from truestep.store.weights import load_weights, save_weights


def calls_of_a_write(path):
    with pytest.MonkeyPatch.context() as patch:
        disk = BadDisk(patch)
        write_bytes(path, b"old bytes")
        return disk.made


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EACCES])
@pytest.mark.parametrize("for_good", [False, True])
def test_whatever_call_fails_the_file_is_the_old_or_the_new_one(tmp_path, number, for_good):
    path = tmp_path / "file"
    calls = calls_of_a_write(path)
    assert calls == 8  # open, write, fsync, close, replace, and open, fsync, close of the folder
    for sound in range(calls):
        path.write_bytes(b"old bytes")
        with pytest.MonkeyPatch.context() as patch:
            BadDisk(patch, sound, number, for_good)
            with pytest.raises(StoreError) as caught:
                write_bytes(path, b"new")
        replaced = sound >= 5
        assert path.read_bytes() == (b"new" if replaced else b"old bytes")
        assert caught.value.errno == number
        assert str(caught.value).startswith(f"{path} cannot be written: {os.strerror(number).lower()}")
        if not for_good:  # a disk that is gone cannot be tidied up either
            assert os.listdir(tmp_path) == ["file"]
        for left in tmp_path.glob(".*.tmp"):
            left.unlink()


def test_a_folder_that_cannot_be_synced_at_all_is_no_failure(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        BadDisk(patch, sound=6, number=errno.EINVAL)
        write_bytes(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_an_interrupt_leaves_no_temporary_file(tmp_path, monkeypatch):
    def interrupted(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / "file", b"new")
    assert os.listdir(tmp_path) == []


def test_whatever_call_fails_a_folder_is_made_or_said_not_to_be(tmp_path):
    for sound in range(8):
        with pytest.MonkeyPatch.context() as patch:
            BadDisk(patch, sound, errno.ENOSPC)
            with pytest.raises(
                StoreError, match="cannot be made: no space left on device; free some space on that disk"
            ):
                make_folder(tmp_path / f"a{sound}" / "b")
        make_folder(tmp_path / f"a{sound}" / "b")


def test_a_full_disk_leaves_the_best_weights_as_they_were(tmp_path):
    path = tmp_path / "best.safetensors"
    save_weights(path, {"w": torch.ones(3)})
    with pytest.MonkeyPatch.context() as patch:
        BadDisk(patch, sound=1, number=errno.ENOSPC)
        with pytest.raises(
            StoreError, match=r"best\.safetensors cannot be written: no space left on device; free some"
        ):
            save_weights(path, {"w": torch.zeros(3)})
    assert load_weights(path)["w"].tolist() == [1, 1, 1]


def test_a_killed_writer_leaves_one_whole_file(tmp_path):
    path = tmp_path / "file"
    program = (
        "import sys; from truestep.store.atomic import write_bytes\n"
        "for k in range(10**9):\n"
        "    write_bytes(sys.argv[1], bytes([k % 256]) * 200_000)\n"
        "    if k == 3: print('going', flush=True)\n"
    )
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(random.random() / 50)
        process.kill()
        process.communicate()
        data = path.read_bytes()
        assert data == data[:1] * 200_000


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes and devices among files are things of Unix")
def test_weights_are_not_read_from_what_waits_never_ends_or_is_made_of_holes(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "holes").write_bytes(b"")
    os.truncate(tmp_path / "holes", 2**42)
    for name in ("pipe", "device", "holes"):
        with pytest.raises(
            DataError, match=rf"{name} is no file of weights that this machine can hold: give the path of"
        ):
            load_weights(tmp_path / name)
