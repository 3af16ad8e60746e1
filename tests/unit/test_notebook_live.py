"""`ts.notebook.live` shows a run folder as it is and as it grows, whoever writes it."""

import json
import math
import subprocess
import sys
import threading
import time

import pytest

import truestep as ts
from truestep.notebook import following
from truestep.notebook.following import Follower, follow, state_of
from truestep.store.rundb import RunDB, RunRecord
from truestep.store.runs import DATABASE
from unit.board_cases import make_run
from unit.notebook_cases import in_notebook, train


@pytest.fixture(autouse=True)
def shell(monkeypatch):
    return in_notebook(monkeypatch)


def curve(widget, by, name):
    return next((each for each in getattr(widget, by) if each["name"] == name), None)


def within(seconds, holds):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_folder_is_shown_with_all_that_it_holds(tmp_path):
    run, _ = train(epochs=3, progress=False, run_dir=tmp_path / "run")
    for what in (str(tmp_path / "run"), tmp_path / "run", run):
        widget = ts.notebook.live(what)
        assert widget.facts["headline"] == "finished 3 epochs"
        assert curve(widget, "steps", "train_loss")["x"] == list(range(1, 31))
        assert curve(widget, "epochs", "valid_loss")["y"] == pytest.approx(run.history["valid_loss"], rel=1e-6)
        assert (widget.facts["best"], widget.facts["share"]) == (run.best.epoch, 1.0)
        assert widget.facts["words"][-1] == "learning rate 0.1"
        assert curve(widget, "steps", "lr") is None  # it never changed
        assert "finished 3 epochs" in widget._repr_mimebundle_()[0]["text/html"]
        assert repr(widget).startswith("finished 3 epochs")


def test_a_run_without_a_folder_is_shown_by_its_history():
    run, _ = train(epochs=3, progress=False)
    widget = ts.notebook.live(run)
    assert curve(widget, "epochs", "train_loss")["x"] == [1, 2, 3]
    assert widget.facts["best"] == run.best.epoch
    assert widget.facts["rows"][0][0].startswith("epoch 3")


def test_a_run_that_is_being_written_is_kept_up_until_it_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(following, "PERIOD", 0.02)
    folder, database = make_run(tmp_path, steps=4, epochs=1, end="", steps_per_epoch=3)
    widget = follow(folder)
    assert widget.facts["headline"] == "epoch 2 of 5, step 4/3"  # the first record says nothing of its steps
    database.scalars([(5, "train_loss", 0.125), (6, "train_loss", 0.0625)])
    database.epoch(2, {"epoch": 2, "valid_loss": 0.5, "steps": 6, "skipped": 0})
    within(10, lambda: curve(widget, "steps", "train_loss")["x"][-1] == 6)
    assert curve(widget, "steps", "train_loss")["y"] == [1, None, 0.3333333, 0.25, 0.125, 0.0625]
    within(10, lambda: widget.facts["best"] == 2)
    database.event("end", "stopped: why.")
    database.status("stopped")
    database.close()
    within(10, lambda: widget.facts["notes"][-1:] == ["stopped: why."])
    assert widget.facts["headline"] == "stopped after epoch 2 of 5"
    within(10, lambda: not watchers())


def watchers():
    return [thread for thread in threading.enumerate() if thread.name == "truestep live"]


def test_a_run_of_another_process_is_followed_and_its_death_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(following, "PERIOD", 0.02)
    program = f"""if True:
        import sys
        from pathlib import Path
        from truestep.store.rundb import RunDB
        database = RunDB(Path({str(tmp_path)!r}) / "run.sqlite")
        for step, loss in ((1, 4.0), (2, 2.0)):
            database.scalars([(step, "train_loss", loss)])
            database.flush()
            print("written", flush=True)
            sys.stdin.readline()
    """
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout.readline() == "written\n"
        widget = follow(tmp_path)
        assert (widget.facts["kind"], curve(widget, "steps", "train_loss")["y"]) == ("running", [4])
        process.stdin.write("\n")
        process.stdin.flush()
        within(20, lambda: curve(widget, "steps", "train_loss")["y"] == [4, 2])
        process.kill()
    within(20, lambda: widget.facts["kind"] == "interrupted")
    within(10, lambda: not watchers())


def test_a_run_that_is_moved_away_is_a_sentence_and_what_was_last_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(following, "PERIOD", 0.01)
    monkeypatch.setattr(following, "TRIES", 3)
    folder, database = make_run(tmp_path, end="")
    follower = Follower(folder)
    follower.look()
    (folder / DATABASE).rename(tmp_path / "away")
    follower.watch()  # it gives up after three looks
    assert follower.widget.facts["notes"][-1].startswith("This is what was last read of the run: there is no run at ")
    assert curve(follower.widget, "steps", "train_loss")["x"] == [1, 2, 3, 4]
    (tmp_path / "away").rename(folder / DATABASE)
    database.close()


def test_a_widget_that_is_closed_is_kept_up_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(following, "PERIOD", 0.02)
    folder, database = make_run(tmp_path, end="")
    widget = follow(folder)
    assert watchers()
    widget.close()
    within(10, lambda: not watchers())
    database.close()


def test_a_part_that_is_asked_for_is_answered_with_more_points_and_nonsense_with_none(tmp_path):
    folder, _ = make_run(tmp_path, steps=5000, epochs=0)
    widget = follow(folder)
    assert widget.finer
    assert len(curve(widget, "steps", "train_loss")["x"]) <= following.POINTS + 2
    for asked in (
        {"number": "1", "by": "step", "from": 100, "to": 200},
        {"number": "2", "by": "step", "from": "x", "to": 2},
        {"by": "step"},
        "nonsense",
    ):
        widget.comm.handle_msg({"content": {"data": {"method": "custom", "content": asked}}, "buffers": []})
    answers = [data["content"] for _, data in widget.comm.sent if data.get("method") == "custom"]
    assert [answer["number"] for answer in answers] == ["1", "2"]
    assert answers[0]["curves"][0]["x"] == list(range(100, 201))
    assert answers[1]["curves"] == []
    json.dumps(answers, allow_nan=False)


def test_what_is_no_run_is_refused_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUESTEP_RUNS", str(tmp_path / "runs"))
    with pytest.raises(ts.DataError, match=r"there is no run in .*nowhere: give the folder that fit"):
        ts.notebook.live(tmp_path / "nowhere")
    with pytest.raises(ts.DataError, match=r"there is no run in .*runs: give the folder of one"):
        ts.notebook.live()
    with pytest.raises(ts.ConfigError, match="live shows a run folder or a run, and not int"):
        ts.notebook.live(3)
    with pytest.raises(ts.ConfigError, match="nothing to show: no epoch of this run ended"):
        ts.notebook.live(train(epochs=1, progress=False, lr=float("inf"))[0])
    monkeypatch.setitem(sys.modules, "truestep.notebook.following", None)
    monkeypatch.delattr("truestep.notebook.following")
    with pytest.raises(ts.ConfigError, match=r"live curves need anywidget: pip install 'truestep\[notebook\]'"):
        ts.notebook.live(tmp_path)


def test_a_run_is_found_by_its_name_and_the_newest_without_one(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUESTEP_RUNS", str(tmp_path))
    make_run(tmp_path, "old", steps=3)
    make_run(tmp_path, "new", steps=7)
    assert curve(ts.notebook.live("old"), "steps", "train_loss")["x"][-1] == 3
    assert curve(ts.notebook.live(), "steps", "train_loss")["x"][-1] == 7


def test_a_record_may_hold_anything(tmp_path):
    folder, _ = make_run(tmp_path, epochs=0)
    with RunDB(folder / DATABASE) as database:
        database.config({"epochs": "many", "steps_per_epoch": -3})
        database.epoch(1, {"epoch": "first", "train_loss": [1], "valid_loss": "low", "steps": None})
        database.epoch(2, {"epoch": 2, "train_loss": True, "valid_loss": math.inf, "seconds": "long"})
    widget = follow(folder)
    assert widget.facts["rows"] == [["epoch 2", "True", "inf"]]
    json.dumps([widget.facts, widget.steps, widget.epochs], allow_nan=False)
    with RunDB(folder / DATABASE) as database:
        database.epoch(3, {"epoch": 3, "valid_loss": 10**400})
    with pytest.raises(ts.DataError, match=r"what .*digits records cannot be shown \(OverflowError"):
        follow(folder)


def test_where_the_steps_of_a_run_were_not_recorded_it_is_known_by_its_epochs():
    run = RunRecord({"epochs": 4}, [{"epoch": 1, "steps": 10}], "running", [], "2026-01-01T00:00:00+00:00", 1.0)
    state = state_of(run, {"step": None, "curves": []})
    assert (state.headline, state.share) == ("epoch 1 of 4", 0.25)
