"""The power may be cut at any moment: whatever a POSIX file system leaves then, the old or the new checkpoint loads."""

import shutil

import pytest
import torch

from faults.disk import Recorder, cuts
from truestep.core.errors import CheckpointError
from truestep.store.checkpoint import read, write
from truestep.store.keep import Kept

CLAIM = "power loss too"


def state(serial):
    return {"w": torch.full((40,), float(serial))}


def overwrite(root, told):
    """One file, written again and again."""
    for serial in range(1, 4):
        write(root / "c", state(serial), {"serial": serial})
        told(serial)


def rotate(root, told, last=1):
    """A folder that is made, with healthy and unhealthy states in it."""
    kept = Kept(root / "a" / "kept", last)
    for serial, healthy in enumerate([True, True, False, True], 1):
        kept.save(serial, state(serial), {"serial": serial}, healthy)
        told(serial)


def newest_in(root):
    """What a run would go on from."""
    if (root / "c").exists():
        return read(root / "c")
    found = Kept(root / "a" / "kept").newest()
    return found and found[1]


HEALTHY = {"overwrite": [0, 1, 2, 3], "rotate": [0, 1, 2, 2, 4], "rotate two": [0, 1, 2, 2, 4]}  # after so many saves
PROGRAMS = {"overwrite": overwrite, "rotate": rotate, "rotate two": lambda root, told: rotate(root, told, last=2)}


def recorded(name, folder):
    folder.mkdir()
    recorder = Recorder(folder)
    with pytest.MonkeyPatch.context() as patch:
        recorder.watch(patch)
        PROGRAMS[name](folder, recorder.told)
    return recorder.log


def losses(log, pieces, wanted, folder):
    """What is lost in each state that a power cut may leave, or nothing; each set of files once."""
    judged = set()
    for told, files in cuts(log, pieces):
        key = (told, frozenset(files.items()))
        if key not in judged:
            judged.add(key)
            yield loss(files, told or 0, wanted, folder)


def loss(files, told, wanted, folder):
    shutil.rmtree(folder, ignore_errors=True)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    try:
        found = newest_in(folder)
        serial = found.plain["serial"] if found else 0
        if serial == wanted[min(told + 1, len(wanted) - 1)] != wanted[told]:
            return ""  # the next one has arrived already
        if serial != wanted[told]:
            return f"after save {told} the newest is {serial}"
        if serial != told and read(Kept(folder / "a" / "kept").paths()[0]).plain["serial"] < told:
            return f"the unhealthy save {told} is gone"
    except CheckpointError as failure:
        return f"after save {told}: {failure}"
    return "" if found is None or found.tensors["w"].eq(serial).all() else f"save {serial} has other numbers"


@pytest.mark.parametrize("pieces", [3, pytest.param(8, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", PROGRAMS)
def test_whatever_a_power_cut_leaves_the_old_or_the_new_one_loads(tmp_path, figure, name, pieces):
    log = recorded(name, tmp_path / "real")
    found = list(losses(log, pieces, HEALTHY[name], tmp_path / "left"))
    lost = [words for words in found if words]
    calls = sum(entry[0] != "told" for entry in log)
    counts = f"{len(found):,} states after {calls} calls"
    figure(CLAIM, f"lost, torn and reordered states of a disk, {name}", counts, f"{len(lost)} lost")
    assert lost == []
    assert len(found) > 100


@pytest.mark.parametrize("name", PROGRAMS)
def test_without_any_one_fsync_a_power_cut_loses_something(tmp_path, figure, name):
    """The teeth of the test above, built in: it must find the loss that each fsync is there to prevent."""
    log = recorded(name, tmp_path / "real")
    syncs = [place for place, entry in enumerate(log) if entry[0] == "fsync"]
    needless = []
    for place in syncs:
        without = [*log[:place], *log[place + 1 :]]
        if not any(losses(without, 2, HEALTHY[name], tmp_path / "left")):
            needless.append(log[place])
    caught = f"{len(syncs) - len(needless)} losses found"
    figure(CLAIM, f"the same with one fsync left out, {name}", f"{len(syncs)} fsyncs", caught)
    assert needless == []
