"""A run is read as it stands, wherever it lies and while it is written; what is no run is one sentence."""

import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from truestep.core.errors import DataError
from truestep.store.rundb import RunDB, read_run, read_scalars


def fail(sentence):
    raise AssertionError(f"the recorder complained: {sentence}")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.sqlite"


def test_a_reader_sees_a_run_under_way_and_does_not_disturb_it(path):
    db = RunDB(path, fail)
    for number in range(1, 6):
        db.epoch(number, {"epoch": number})
        assert [record["epoch"] for record in read_run(path).epochs] == list(range(1, number + 1))
        assert read_run(path).status == "running"
    db.close()


def test_reading_writes_nothing(path):
    with RunDB(path, fail) as db:
        db.epoch(1, {"epoch": 1})
    assert [each.name for each in path.parent.iterdir()] == ["run.sqlite"]
    before = path.read_bytes()
    read_run(path)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["run.sqlite"]


def test_times_are_utc_in_iso_form(path):
    before = datetime.now(UTC)
    with RunDB(path, fail) as db:
        db.event("a", "b")
    run = read_run(path)
    for text in (run.started, run.events[0].time):
        moment = datetime.fromisoformat(text)
        assert moment.utcoffset() == timedelta(0)
        assert before <= moment <= datetime.now(UTC)


@pytest.mark.parametrize(
    "error, status",
    [(None, "finished"), (KeyboardInterrupt(), "interrupted"), (ValueError("no data"), "failed: ValueError: no data")],
)
def test_how_a_run_ended_is_noted(path, error, status):
    def run():
        with RunDB(path, fail):
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            run()
    else:
        run()
    assert read_run(path).status == status


def test_a_status_that_was_given_is_kept(path):
    with RunDB(path, fail) as db:
        db.status("stopped early")
    assert read_run(path).status == "stopped early"


def test_a_run_left_without_a_word_is_interrupted(path):
    db = RunDB(path, fail)
    assert read_run(path).status == "running"
    db.close()
    assert read_run(path).status == "interrupted"


@pytest.mark.parametrize("name", ["a b", "per cent %20?mode=rw#x", "ü 数"])
def test_a_run_can_lie_in_a_folder_of_any_name(tmp_path, name):
    (tmp_path / name).mkdir()
    with RunDB(tmp_path / name / "run.sqlite", fail) as db:
        db.epoch(1, {"epoch": 1})
    assert len(read_run(tmp_path / name / "run.sqlite").epochs) == 1


def test_a_program_may_change_its_folder(tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    with RunDB("run.sqlite", fail) as db:
        monkeypatch.chdir("other")
        db.epoch(1, {"epoch": 1})
    assert len(read_run(tmp_path / "run.sqlite").epochs) == 1


def test_what_is_no_run_is_one_sentence(tmp_path, path):
    with pytest.raises(DataError, match=r"there is no run at .*run\.sqlite: give the path of a run\.sqlite"):
        read_run(path)
    with pytest.raises(DataError, match="there is no run at"):
        read_run(tmp_path)
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(
        DataError, match=r"cannot be read as a run \(file is not a database\): it is damaged or not written"
    ):
        read_run(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"\(it is a database of another program\)"):
        read_run(path)


def test_a_newer_file_is_neither_read_nor_written(path):
    with RunDB(path, fail):
        pass
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before, said = path.read_bytes(), []
    with pytest.raises(DataError, match="it was written by a newer truestep: pip install -U truestep"):
        read_run(path)
    with RunDB(path, said.append) as db:
        db.epoch(1, {})
    assert path.read_bytes() == before
    assert len(said) == 1


def test_a_name_that_was_not_recorded_is_answered_with_those_that_were(path):
    with RunDB(path, fail) as db:
        db.scalars([(1, "lr", 0.1), (1, "loss", 0.1)])
    with pytest.raises(DataError, match=r"has no scalar 'los': it has loss, lr"):
        read_scalars(path, "los")


def test_a_path_that_the_system_refuses_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"cannot be read as a run \(.*[Ff]ile name too long"):
        read_run(tmp_path / ("x" * 300))
