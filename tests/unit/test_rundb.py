"""What a run records is what is read, to the bit, also while it is being recorded."""

import contextlib
import math
import sqlite3
import struct
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from truestep.core.errors import DataError
from truestep.store import rundb
from truestep.store.rundb import RunDB, read_run, read_scalars


def fail(sentence):
    raise AssertionError(f"the recorder complained: {sentence}")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.sqlite"


def test_everything_recorded_is_read(path):
    record = {"epoch": 1, "train_loss": 0.5, "valid_loss": math.inf, "note": None, "lr": [0.1, 0.2]}
    with RunDB(path, fail) as db:
        db.config({"recipe": "lenet5", "batch_size": 256, "betas": (0.9, 0.999)})
        db.scalars([(1, "loss", 2.5), (1, "lr", 0.1), (2, "loss", 1.5)])
        db.epoch(1, record)
        db.event("note", "this objective is a sum over 256 samples")
    run = read_run(path)
    assert run.config == {"recipe": "lenet5", "batch_size": 256, "betas": [0.9, 0.999]}
    assert run.epochs == [record]
    assert [(event.kind, event.text) for event in run.events] == [("note", "this objective is a sum over 256 samples")]
    assert run.status == "finished"
    steps, values = read_scalars(path, "loss")
    assert (steps.dtype, values.dtype) == (np.int64, np.float64)
    assert (steps.tolist(), values.tolist()) == ([1, 2], [2.5, 1.5])


@given(st.lists(st.floats(), min_size=1))
def test_every_number_comes_back_to_the_bit_and_nan_as_nan(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("run") / "run.sqlite"
    with RunDB(path, fail) as db:
        db.scalars((step, "x", number) for step, number in enumerate(numbers))
        db.epoch(1, {"numbers": numbers})
    _, values = read_scalars(path, "x")
    (back,) = read_run(path).epochs
    for wanted, found, recorded in zip(numbers, values, back["numbers"], strict=True):
        if math.isnan(wanted):
            assert math.isnan(found)
            assert math.isnan(recorded)
        elif wanted == 0:  # SQLite has one zero
            assert found == recorded == 0
        else:
            assert struct.pack("d", wanted) == struct.pack("d", found) == struct.pack("d", recorded)


def test_a_missing_value_is_no_nan(path):
    said = []
    with RunDB(path, said.append) as db:
        db.scalars([(1, "x", None)])
        db.scalars([(2, "x", math.nan)])
    assert read_scalars(path, "x")[0].tolist() == [2]
    assert len(said) == 1


def test_means_in_sql_leave_nan_out(path):
    with RunDB(path, fail) as db:
        db.scalars([(1, "x", 1.0), (2, "x", math.nan), (3, "x", 3.0)])
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT AVG(value), COUNT(*) FROM scalars").fetchone() == (2.0, 3)


def test_scalars_wait_in_memory_until_a_thousand_are_there(path):
    db = RunDB(path, fail)
    db._due = math.inf
    db.scalars((step, "x", 0.0) for step in range(rundb.FLUSH_ROWS - 1))
    with pytest.raises(DataError, match="has no scalar 'x': it has none yet"):
        read_scalars(path, "x")
    db.scalars([(rundb.FLUSH_ROWS, "x", 0.0)])
    assert len(read_scalars(path, "x")[0]) == rundb.FLUSH_ROWS
    db.close()


def test_scalars_do_not_wait_longer_than_their_time(path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    db = RunDB(path, fail)
    db.scalars([(1, "x", 0.0)])
    clock[0] += rundb.FLUSH_SECONDS
    db.scalars([(2, "x", 0.0)])
    assert len(read_scalars(path, "x")[0]) == 2
    clock[0] += rundb.FLUSH_SECONDS
    db.event("note", "text")
    assert len(read_run(path).events) == 1
    db.close()


def test_an_event_at_every_step_is_no_commit_at_every_step(path):
    db = RunDB(path, fail)
    db._due = math.inf
    for step in range(rundb.FLUSH_ROWS - 1):
        db.event("skipped", f"step {step}")
    assert read_run(path).events == []
    db.scalars([(1, "x", 0.0)])
    assert [event.text for event in read_run(path).events] == [f"step {step}" for step in range(rundb.FLUSH_ROWS - 1)]
    db.close()


@pytest.mark.parametrize("end", ["flush", "close", "epoch", "status", "config"])
def test_what_commits_commits_scalars_and_events_too(path, end):
    db = RunDB(path, fail)
    db.scalars([(1, "x", 0.0)])
    db.event("note", "text")
    arguments = {"epoch": (1, {}), "status": ("running",), "config": ({},)}
    getattr(db, end)(*arguments.get(end, ()))
    assert len(read_scalars(path, "x")[0]) == 1
    assert len(read_run(path).events) == 1
    db.close()


def test_threads_lose_no_row(path):
    db = RunDB(path, fail)

    def work(name):
        for step in range(3000):
            db.scalars([(step, name, step)])
            if step % 100 == 0:
                db.event("at", f"{name} {step}")

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.close()
    for number in range(4):
        assert read_scalars(path, f"t{number}")[1].tolist() == list(range(3000))
    assert len(read_run(path).events) == 120


def test_a_run_is_continued_and_a_step_counts_as_recorded_last(path):
    with RunDB(path, fail) as db:
        db.config({"lr": 0.1, "seed": 0})
        db.scalars([(1, "x", 1.0), (2, "x", 2.0), (3, "x", 3.0)])
        db.epoch(1, {"epoch": 1, "train_loss": 1.0})
    started = read_run(path).started
    with RunDB(path, fail) as db:
        assert read_run(path).status == "running"
        db.config({"lr": 0.2})
        db.scalars([(2, "x", 20.0), (3, "x", 30.0), (4, "x", 40.0)])
        db.epoch(1, {"epoch": 1, "train_loss": 0.5})
        db.epoch(2, {"epoch": 2, "train_loss": 0.25})
    run = read_run(path)
    assert run.config == {"lr": 0.2, "seed": 0}
    assert [record["train_loss"] for record in run.epochs] == [0.5, 0.25]
    assert run.started == started
    assert read_scalars(path, "x")[1].tolist() == [1.0, 20.0, 30.0, 40.0]


def test_seconds_are_the_time_worked_without_the_pauses(path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    for _ in range(2):
        with RunDB(path, fail):
            clock[0] += 5.0
        clock[0] += 1000.0
    assert read_run(path).seconds == 10.0


def test_settings_and_records_of_any_type_are_kept_as_their_text_or_numbers(path):
    with RunDB(path, fail) as db:
        db.config(
            {"device": torch.device("cpu"), "dtype": torch.float32, "folder": path.parent, "name\ud800": "\ud800"}
        )
        db.epoch(1, {"a": torch.tensor(0.5), "b": np.float32(0.25), "c": torch.tensor([1, 2])})
        db.event("odd", "file \udcff")
    run = read_run(path)
    assert (run.config["device"], run.config["dtype"], run.config["folder"]) == (
        "cpu",
        "torch.float32",
        str(path.parent),
    )
    assert run.epochs == [{"a": 0.5, "b": 0.25, "c": [1, 2]}]
    assert run.events[0].text == r"file \udcff"


def test_scalars_that_are_tensors_become_numbers(path):
    with RunDB(path, fail) as db:
        db.scalars([(1, "x", torch.tensor(2.5)), (np.int64(2), "x", np.float32(0.5))])
    assert read_scalars(path, "x")[1].tolist() == [2.5, 0.5]
