"""Whatever becomes of a run's database, and when, the run ends in the same weights and says one sentence or none."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from torch import nn

import truestep as ts
from laws.step_cases import network, same_weights
from truestep.core.errors import DataError
from truestep.store import rundb
from truestep.store.rundb import read_run
from unit.fit_cases import CASES, sgd, simple

CLAIM = "logging never harms training"
MOMENTS = 1 + 2 * (3 + 1)  # the start, and each step and end of two epochs


def train(run_dir=None, observers=()):
    """Two epochs of three steps, with momentum: the weights, and the sentences that the run had to say."""
    model = network()
    data = CASES["values"].data(12)
    optimizer = sgd(model, momentum=0.9)
    options = {"batch_size": 4, "shuffle": False, "epochs": 2, "run_dir": run_dir, "observers": observers}
    return model, simple(model=model, train=data, objective=nn.MSELoss(), optimizer=optimizer, **options)


def locked(path):
    other = sqlite3.connect(path, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other.close


def exclusive(path):
    other = sqlite3.connect(path, timeout=0, check_same_thread=False)
    with contextlib.suppress(sqlite3.OperationalError):  # the run itself may hold it
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
    return other.close


def deleted(path):
    for each in path.parent.iterdir():
        each.unlink()


def folder_deleted(path):
    shutil.rmtree(path.parent)


def replaced(path):
    path.unlink()
    path.mkdir()


def emptied(path):
    os.truncate(path, 0)


def overwritten(path):
    size = path.stat().st_size
    path.write_bytes(b"not a database " * (size // 15 + 1))


def log_overwritten(path):
    for each in path.parent.glob("*-wal"):
        each.write_bytes(os.urandom(each.stat().st_size))


def foreign(path):
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE mine (x)")


FATES = [locked, exclusive, deleted, folder_deleted, replaced, emptied, overwritten, log_overwritten, foreign]


def struck(folder, fate, moment):
    """The run whose database meets its fate at this moment."""
    undo, seen = [], []

    def strike(event):
        if isinstance(event, ts.events.Started | ts.events.Stepped | ts.events.EpochEnded):
            seen.append(event)
            if len(seen) == moment + 1:
                undo.append(fate(folder / "run.sqlite"))

    found = train(folder, [strike])
    assert len(seen) == MOMENTS
    for each in filter(None, undo):
        each()
    return found


def test_whatever_becomes_of_the_database_at_any_moment_the_run_is_the_same(tmp_path, monkeypatch, figure):
    monkeypatch.setattr(rundb, "LOCK_SECONDS", 0.01)
    alone, clean = train()
    harmed, said = [], 0
    for fate in FATES:
        for moment in range(MOMENTS):
            folder = tmp_path / f"{fate.__name__}-{moment}"
            model, run = struck(folder, fate, moment)
            notes = [note for note in run.notes if "run.sqlite" in note]
            same = same_weights(model, alone, rtol=0.0) and [each.train_loss for each in run.history] == [
                each.train_loss for each in clean.history
            ]
            if not same or len(notes) > 1 or len(run.notes) > 1 or any("\n" in note for note in notes):
                harmed.append((fate.__name__, moment, run.notes))
            said += len(notes)
            with contextlib.suppress(DataError):  # what is left may be nothing; then it is one sentence
                read_run(folder / "run.sqlite")
    figure(
        CLAIM,
        "locked, deleted, replaced, emptied, overwritten",
        f"{len(FATES) * MOMENTS} runs",
        f"{len(harmed)} harmed",
    )
    assert harmed == []
    assert said > len(FATES) * MOMENTS // 2


@pytest.mark.skipif(sys.platform == "win32", reason="limits of the process are a thing of Unix")
def test_a_disk_that_is_full_from_any_page_on_harms_no_run(tmp_path, figure):
    """A real limit of the system on how far a file may grow, from none at all to more than the run needs."""
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from faults.test_logging_faults import *\n"
        "alone, _ = train(); harmed = 0; said = 0; limits = range(0, 120_000, int(sys.argv[2]))\n"
        "for most in limits:\n"
        "    folder = Path(sys.argv[1], str(most))\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))\n"
        "    model, run = train(folder)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "    notes = [note for note in run.notes if 'run.sqlite cannot be written (' in note]\n"
        "    harmed += not same_weights(model, alone, rtol=0.0) or len(notes) > 1 or len(notes) != len(run.notes)\n"
        "    said += len(notes)\n"
        "    with contextlib.suppress(DataError): read_run(folder / 'run.sqlite')\n"
        "print(len(limits), harmed, said, len(read_run(folder / 'run.sqlite').epochs))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parents[1])])}
    command = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path), "4096"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    limits, harmed, said, epochs = map(int, done.stdout.split())
    figure(CLAIM, "a disk that is full from any page on", f"{limits} runs, {said} with a sentence", f"{harmed} harmed")
    assert (harmed, epochs) == (0, 2)
    assert 0 < said < limits  # the limits reach from too little to enough


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="rights are dropped with a call that only Unix has")
def test_a_read_only_run_folder_harms_no_run(figure):
    alone, _ = train()
    root, folder = os.geteuid() == 0, Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    try:
        if root:
            os.seteuid(65534)
        model, run = train(folder)
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)
    figure(CLAIM, "a read-only folder", "1 run", f"{len(run.notes)} sentence")
    assert same_weights(model, alone, rtol=0.0)
    said = (
        f"{folder}/run.sqlite cannot be written (unable to open database file): training goes on, nothing more of it "
    )
    assert run.notes == [f"{said}is recorded"]
