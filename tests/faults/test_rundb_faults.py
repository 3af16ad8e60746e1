"""Locks, deletions, full disks and kills: a run that cannot be recorded goes on, and what was recorded can be read."""

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch

from truestep.core.errors import DataError
from truestep.store import rundb
from truestep.store.rundb import RunDB, read_run, read_scalars
from truestep.store.runs import list_runs


def run_python(program, *arguments, **options):
    return subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], text=True, **options)


def test_a_killed_run_keeps_what_was_committed_and_is_called_interrupted(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    program = (
        "import sys, time; from truestep.store.rundb import RunDB\n"
        "db = RunDB(sys.argv[1])\n"
        "for step in range(5000): db.scalars([(step, 'loss', step)])\n"
        "db.epoch(1, {'epoch': 1, 'valid_loss': 0.5})\n"
        "print('going', flush=True)\n"
        "time.sleep(100)\n"
    )
    process = run_python(program, folder / "run.sqlite", stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    assert [run.status for run in list_runs(tmp_path)] == ["running"]
    process.kill()
    process.communicate()
    before = (folder / "run.sqlite").read_bytes()
    (run,) = list_runs(tmp_path)
    assert (folder / "run.sqlite").read_bytes() == before  # who looks repairs nothing
    assert (run.status, run.epochs, run.best_valid_loss) == ("interrupted", 1, 0.5)
    assert read_scalars(folder / "run.sqlite", "loss")[1].tolist() == list(range(5000))
    with RunDB(folder / "run.sqlite") as db:
        assert [run.status for run in list_runs(tmp_path)] == ["running"]
        db.epoch(2, {"epoch": 2})
    assert [run.status for run in list_runs(tmp_path)] == ["finished"]


def use_everything(db):
    """What a run does with its recorder; none of it may raise or take long."""
    began = time.monotonic()
    for step in range(3000):
        db.scalars([(step, "loss", 0.5)])
    db.epoch(1, {"epoch": 1})
    db.event("note", "text")
    db.config({"lr": 0.1})
    db.status("finished")
    db.flush()
    db.close()
    db.scalars([(1, "loss", 0.5)])
    db.close()
    return time.monotonic() - began


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.sqlite"


def expect_one_sentence(said, path, reason):
    assert len(said) == 1
    assert said[0].startswith(f"{path} cannot be written ({reason}")
    assert said[0].endswith("): training goes on, nothing more of it is recorded")


def test_a_locked_database_is_said_once_and_training_goes_on(path, monkeypatch):
    monkeypatch.setattr(rundb, "LOCK_SECONDS", 0.05)
    said = []
    db = RunDB(path, said.append)
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        use_everything(db)
    expect_one_sentence(said, path, "database is locked")
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        RunDB(path, said.append).close()
    assert len(said) == 2


def test_a_recorder_that_gave_up_does_not_try_again(path, monkeypatch):
    monkeypatch.setattr(rundb, "LOCK_SECONDS", 0.05)
    said = []
    db = RunDB(path, said.append)
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        db.epoch(1, {"epoch": 1})
    db.epoch(2, {"epoch": 2})
    assert read_run(path).epochs == []
    assert read_run(path).status == "interrupted"


@pytest.mark.parametrize("how", ["deleted", "folder deleted", "replaced"])
def test_a_database_that_vanishes_is_said_once_and_training_goes_on(tmp_path, how):
    path, said = tmp_path / "run" / "run.sqlite", []
    path.parent.mkdir()
    db = RunDB(path, said.append)
    db.epoch(1, {"epoch": 1})
    if how == "folder deleted":
        shutil.rmtree(path.parent)
    else:
        path.unlink()
    if how == "replaced":
        path.write_bytes(b"")
    use_everything(db)
    expect_one_sentence(
        said, path, "the file was moved or deleted" if how == "replaced" else "No such file or directory"
    )


def test_a_place_that_does_not_exist_is_said_once_and_training_goes_on(tmp_path):
    said = []
    use_everything(RunDB(tmp_path / "missing" / "run.sqlite", said.append))
    expect_one_sentence(said, tmp_path / "missing" / "run.sqlite", "unable to open database file")


def test_another_file_in_the_place_is_left_as_it_is(path):
    path.write_bytes(b"my thesis" * 1000)
    said = []
    use_everything(RunDB(path, said.append))
    expect_one_sentence(said, path, "file is not a database")
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE config (mine)")
    before = path.read_bytes()
    use_everything(RunDB(path, said.append))
    assert path.read_bytes() == before
    assert "it is a database of another program" in said[1]


@pytest.fixture
def nobody():
    """Drops the rights of root, for whom no file is read-only, and gives a folder that others may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    root = os.geteuid() == 0

    def drop():
        if root:
            os.seteuid(65534)

    yield folder, drop
    if root:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="rights are dropped with a call that only Unix has")
def test_a_read_only_database_is_said_once_and_training_goes_on(nobody):
    folder, drop = nobody
    path, said = folder / "run.sqlite", []
    with RunDB(path) as db:
        db.epoch(1, {"epoch": 1})
    path.chmod(0o444)
    folder.chmod(0o555)
    drop()
    use_everything(RunDB(path, said.append))
    expect_one_sentence(said, path, "attempt to write a readonly database")
    assert len(read_run(path).epochs) == 1  # an archive on a read-only disk can be read


def test_a_full_database_is_said_once_and_training_goes_on(path):
    said = []
    db = RunDB(path, said.append)
    assert db._connection is not None
    db._connection.execute("PRAGMA max_page_count = 8")
    use_everything(db)
    expect_one_sentence(said, path, "database or disk is full")


@pytest.mark.skipif(sys.platform == "win32", reason="limits of the process are a thing of Unix")
def test_a_disk_that_fills_up_is_said_once_and_training_goes_on(path):
    program = (
        "import resource, sys; from truestep.store.rundb import RunDB\n"
        "db = RunDB(sys.argv[1]); db.epoch(1, {'epoch': 1})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "for step in range(50_000): db.scalars([(step, 'loss', 0.5)])\n"
        "db.close(); print('trained to the end')\n"
    )
    process = run_python(program, path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate()
    assert out == "trained to the end\n"
    expect_one_sentence(err.splitlines(), path, "")
    assert len(read_run(path).epochs) == 1


def test_a_listener_that_fails_harms_nothing(tmp_path):
    def broken(sentence):
        raise BrokenPipeError

    use_everything(RunDB(tmp_path / "missing" / "run.sqlite", broken))


def test_values_that_cannot_be_recorded_are_left_out_and_the_rest_is_kept(path):
    said = []
    with RunDB(path, said.append) as db:
        for odd in (None, "text", [1, 2], torch.zeros(2), object()):
            db.scalars([(1, "loss", odd)])  # type: ignore[list-item]
        db.scalars([(2**70, "loss", 1.0)])
        db.flush()
        cycle: dict = {}
        cycle["self"] = cycle
        db.config({"cycle": cycle})
        db.epoch("one", {})  # type: ignore[arg-type]
        db.scalars([(2, "loss", 0.5)])
        db.epoch(1, {"epoch": 1})
    assert len(said) == 1
    assert said[0].startswith(f"something was left out of {path}, which cannot hold it (")
    assert read_scalars(path, "loss")[0].tolist() == [2]
    assert len(read_run(path).epochs) == 1


def test_an_interrupt_within_a_commit_loses_nothing(path, monkeypatch):
    real = time.monotonic

    def interrupted():
        monkeypatch.setattr(time, "monotonic", real)
        raise KeyboardInterrupt

    def train():
        with RunDB(path) as db:
            db.scalars([(1, "loss", 0.5)])
            db.epoch(1, {"epoch": 1})
            db.scalars([(2, "loss", 0.25)])
            monkeypatch.setattr(time, "monotonic", interrupted)
            db.flush()

    with pytest.raises(KeyboardInterrupt):
        train()
    assert read_run(path).status == "interrupted"
    assert read_scalars(path, "loss")[1].tolist() == [0.5, 0.25]


def test_a_damaged_database_is_one_sentence_and_never_a_traceback(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    path = folder / "run.sqlite"
    with RunDB(path) as db:
        db.config({"recipe": "lenet5", "data": "digits"})
        for number in range(1, 40):
            db.epoch(number, {"epoch": number, "valid_loss": 1 / number})
        db.scalars((step, "loss", step) for step in range(300))
    sound, draw, refused = path.read_bytes(), random.Random(1), 0
    for _ in range(400):
        broken = bytearray(sound)
        for _ in range(draw.choice([1, 10, 100])):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        path.write_bytes(broken[: draw.choice([len(broken), draw.randrange(len(broken))])])
        said = []
        list_runs(tmp_path, said.append)
        refused += len(said)
        assert not any("\n" in sentence for sentence in said)
        with contextlib.suppress(DataError):
            read_scalars(path, "loss")
    assert refused > 100
