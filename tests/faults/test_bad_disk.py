"""Disks that are full, broken or read-only: what was saved before loads, and one sentence says what happened."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch

from faults.disk import BadDisk
from truestep.core.errors import CheckpointError, TruestepError
from truestep.store.atomic import StoreError, leftovers
from truestep.store.checkpoint import read
from truestep.store.keep import Kept

CLAIM = "disk full, EIO, EACCES, read-only"
ERRORS = [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS]
unix = pytest.mark.skipif(sys.platform == "win32", reason="limits and rights of the process are things of Unix")


def save(kept, serial, healthy=True):
    return kept.save(serial, {"w": torch.full((40,), float(serial))}, {"serial": serial}, healthy)


def prepared(folder, unhealthy):
    """A folder in which the next save is the third, with something to rotate out and a leftover to sweep."""
    shutil.rmtree(folder, ignore_errors=True)
    kept = Kept(folder, last=1 if unhealthy else 2)
    for serial in (1, 2):
        save(kept, serial)
    (folder / ".0123456789abcdef.tmp").write_bytes(b"x")
    return Kept(folder, kept.last)


def newest(kept):
    found = kept.newest()
    assert found is not None
    _, state, skipped = found
    assert state.tensors["w"].eq(state.plain["serial"]).all()
    assert all("unhealthy" in sentence for sentence in skipped)
    return state.plain["serial"]


@pytest.mark.parametrize("unhealthy", [False, True])
def test_whatever_call_of_a_save_fails_what_was_saved_before_loads(tmp_path, figure, unhealthy):
    tried = 0
    for number in ERRORS:
        for for_good in (False, True):
            for sound in range(1000):
                kept = prepared(tmp_path / "kept", unhealthy)
                with pytest.MonkeyPatch.context() as patch:
                    disk = BadDisk(patch, sound, number, for_good)
                    try:
                        save(kept, 3, healthy=not unhealthy)
                        said = ""
                    except TruestepError as failure:
                        said = str(failure)
                if not disk.failed:
                    break
                tried += 1
                assert newest(kept) in ((2,) if unhealthy else (2, 3) if said else (3,))
                assert all(read(path) for path in kept.paths())
                assert os.strerror(number).lower() in said.lower() or not said
                assert "\n" not in said
                if said and not for_good:
                    save(kept, 3)  # the next one is saved as if nothing had been
                    assert newest(kept) == 3
                    assert leftovers(tmp_path / "kept") == []
    case = "an unhealthy state" if unhealthy else "a state"
    figure(CLAIM, f"fail the k-th call of saving {case}, once and for good, 4 errors", f"{tried:,} failures", "0 lost")
    assert tried > 8 * 20


@unix
def test_a_disk_that_fills_up_at_any_byte_keeps_what_was_saved_before(tmp_path, figure):
    """A real limit of the system, which takes the part of a write that fits, as a full disk does."""
    program = (
        "import os, resource, sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from faults.test_bad_disk import save, newest, Kept, StoreError\n"
        "kept = Kept(sys.argv[1]); size = save(kept, 1).stat().st_size; said = set()\n"
        "for most in range(0, size, 16):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))\n"
        "    try: save(kept, 2)\n"
        "    except StoreError as failure: said.add(str(failure))\n"
        "    assert newest(kept) == 1 and len(os.listdir(kept.folder)) == 1, most\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "save(kept, 2); assert newest(kept) == 2\n"
        "print(len(range(0, size, 16)), *said, sep='\\n')\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "kept"), str(Path(__file__).parents[1])]
    count, *said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    figure(CLAIM, "a real limit on the size of files, at every 16th byte", f"{count} limits", "0 lost")
    place = tmp_path / "kept" / "step-0000000002.safetensors"
    assert said == [
        f"{place} cannot be written: file too large; choose another disk, or raise the limit on the size of files"
    ]


@pytest.fixture
def nobody():
    """Drops the rights of root, for whom no file is read-only, and gives a folder that others may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    root = os.geteuid() == 0
    yield folder, lambda: os.seteuid(65534) if root else None
    if root:
        os.seteuid(0)
    (folder / "kept").chmod(0o755)
    shutil.rmtree(folder)


@unix
def test_a_read_only_folder_is_said_and_can_be_resumed_from(nobody, figure):
    folder, drop = nobody
    kept = Kept(folder / "kept")
    save(kept, 1)
    save(kept, 2).chmod(0)
    kept.folder.chmod(0o555)
    drop()
    place = kept.folder / "step-0000000003.safetensors"
    with pytest.raises(StoreError) as caught:
        save(kept, 3)
    assert str(caught.value) == f"{place} cannot be written: permission denied; choose a folder that you may write in"
    found = kept.newest()
    assert found is not None
    assert found[1].plain == {"serial": 1}
    unreadable = kept.folder / "step-0000000002.safetensors"
    assert found[2] == [f"{unreadable} cannot be read: Permission denied; see to the file and its disk"]
    figure(CLAIM, "a read-only folder with a checkpoint that may not be read", "1 of each", "0 lost")


@unix
def test_a_folder_that_may_not_be_looked_into_is_one_sentence(nobody):
    folder, drop = nobody
    kept = Kept(folder / "kept")
    save(kept, 1)
    kept.folder.chmod(0)
    drop()
    with pytest.raises(CheckpointError, match=r"kept cannot be listed \(Permission denied\): give the folder that"):
        kept.newest()
    with pytest.raises(StoreError, match=r"kept cannot be listed: permission denied; choose a folder that you may"):
        save(Kept(kept.folder), 2)
