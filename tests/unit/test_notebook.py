"""In a notebook a run is shown by a widget, told seldom and in bounded memory; where that cannot be, by lines."""

import io
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

import truestep as ts
from truestep.core.outcome import StepOut
from truestep.fit.events import Ended, EpochEnded, Resumed, Said, Started, Stepped
from truestep.fit.history import Record
from truestep.fit.showing import notebook_shell, shown
from truestep.notebook import training
from truestep.notebook.picture import Picture
from truestep.notebook.state import State, facts, text
from truestep.notebook.training import MOST, Training
from truestep.plot.buckets import MOST as DRAWN
from unit.notebook_cases import in_notebook, train

VIEW = "application/vnd.jupyter.widget-view+json"
OUT = {"counts": {"a": 2.0}, "sizes": {}, "weights": {"a": 1.0}, "metrics": {}, "samples": 2, "alone": {}}


def stepped(step, epoch=1, loss=1.0, lr=0.1, **more):
    return Stepped(step, epoch, StepOut(totals={"a": 2.0 * loss}, grad_norm=0.5, lr=lr, **OUT, **more))


def ended(epoch, valid=1.0, best=False, **more):
    figures = {"epoch": epoch, "train_loss": 2.0, "valid_loss": valid, "samples": 60, "steps": 10, "skipped": 0}
    return EpochEnded(Record({**figures, "seconds": 0.5, "lr": 0.1, **more}), best)


@pytest.fixture
def shell(monkeypatch):
    return in_notebook(monkeypatch)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is moved."""
    clock = SimpleNamespace(now=100.0)
    for place in ("truestep.notebook.training.time", "truestep.notebook.picture.time"):
        monkeypatch.setattr(place, SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_a_run_in_a_notebook_has_one_output_which_ends_with_html_for_pages_without_widgets(shell, capsys):
    run, _ = train(epochs=3)
    assert [message["update"] for message in shell.published] == [False, True]
    assert len({message["transient"]["display_id"] for message in shell.published}) == 1
    first, last = (message["data"] for message in shell.published)
    assert first[VIEW] == last[VIEW]
    assert "text/html" not in first  # a notebook whose kernel died must not say for ever that it is running
    assert "finished 3 epochs" in last["text/html"]
    assert last["text/plain"].startswith("finished 3 epochs")
    assert f"valid loss {run.history[-1].valid_loss:.4g}" in last["text/plain"]
    assert capsys.readouterr() == ("", "")


def test_the_picture_has_what_the_history_has(shell, monkeypatch):
    found = []
    monkeypatch.setattr(training, "Widget", lambda: found.append(Kept()) or found[-1])
    run, _ = train(epochs=4, lr=0.05)
    (widget,) = found
    valid = next(curve for curve in widget.epochs if curve["name"] == "valid_loss")
    assert (valid["figure"], valid["side"], valid["by"], valid["x"]) == ("loss", "valid", "epoch", [1, 2, 3, 4])
    assert valid["y"] == pytest.approx(run.history["valid_loss"], rel=1e-6)
    assert [(curve["name"], len(curve["x"])) for curve in widget.steps] == [("train_loss", 40), ("grad_norm", 40)]
    assert widget.facts["best"] == run.best.epoch
    assert (widget.facts["kind"], widget.facts["share"], widget.facts["headline"]) == (
        "finished",
        1.0,
        "finished 4 epochs",
    )
    json.dumps([widget.facts, widget.steps, widget.epochs], allow_nan=False)


class Kept(SimpleNamespace):
    """A widget that only keeps what it is told."""

    def hold_sync(self):
        return io.StringIO()

    def bundle(self, lasting):
        return {}


def test_the_same_weights_come_out_with_and_without_the_widget(shell):
    assert torch.equal(train(progress=True)[1].weight, train(progress=False)[1].weight)


def test_a_widget_is_told_at_most_four_times_a_second_and_its_curves_more_seldom_the_longer_the_run(shell, clock):
    observer = Training(shell)
    observer(Started({"epochs": 5, "steps_per_epoch": 100_000}))
    connection = observer.widget.comm
    connection.sent.clear()
    for number in range(1, 2001):
        clock.now += 0.01
        observer(stepped(number, loss=1 / number))
    told = connection.updates()
    assert 64 <= len(told) <= 80  # in 20 seconds
    connection.sent.clear()
    clock.now += 1000
    for number in range(2001, 4001):
        clock.now += 0.01
        observer(stepped(number, loss=1 / number))
    told = connection.updates()
    assert sum("facts" in each for each in told) > 60
    assert 2 <= sum("steps" in each for each in told) <= 5


def test_telling_that_is_slow_is_done_more_seldom(shell, clock, monkeypatch):
    observer, told = Training(shell), []

    def slowly(now, whole):
        told.append(now)
        clock.now += 0.5

    monkeypatch.setattr(observer, "_tell", slowly)
    for number in range(1, 1001):
        clock.now += 0.1
        observer(stepped(number))
    assert len(told) <= 11


def test_the_last_event_is_always_told(shell, clock):
    observer = Training(shell)
    observer(Started({"epochs": 1, "steps_per_epoch": 2}))
    for event in (stepped(1), stepped(2), ended(1, best=True), Said("a sentence."), Ended("stopped", "stopped: why.")):
        observer(event)
    assert observer.widget.facts["notes"] == ["a sentence.", "stopped: why."]
    assert observer.widget.facts["headline"] == "stopped after epoch 1 of 1"
    assert observer.widget.facts["rows"] == [["epoch 1 ★", "2", "1"]]
    assert len(observer.widget.steps[0]["x"]) == 2


def test_many_runs_of_one_cell_are_told_in_lines_from_some_number_on(shell, capsys):
    for _ in range(MOST + 2):
        train(epochs=1)
    assert len(shell.published) == 2 * MOST
    assert capsys.readouterr().err.count("epoch 1/1") == 2
    shell.execution_count = 2
    train(epochs=1)
    assert len(shell.published) == 2 * MOST + 2


def test_lines_are_shown_where_they_are_asked_for_and_nothing_where_nothing_is(shell, capsys):
    train(epochs=2, progress="lines")
    assert capsys.readouterr().err.count("valid_loss") == 2
    train(epochs=2, progress=False)
    assert (shell.published, capsys.readouterr().err) == ([], "")
    with pytest.raises(ts.ConfigError, match="progress knows True, False and 'lines', and 'bar' is none of them"):
        train(progress="bar")


def test_without_anywidget_a_notebook_has_lines(shell, monkeypatch, capsys):
    for name in ("truestep.notebook.training", "truestep.notebook.widget"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delattr("truestep.notebook.training")
    monkeypatch.setitem(sys.modules, "anywidget", None)
    run, _ = train(epochs=2)
    assert len(run.history) == 2
    assert capsys.readouterr().err.count("valid_loss") == 2
    assert shell.published == []


@pytest.mark.parametrize("published", [0, 1])
def test_a_kernel_that_has_no_connection_costs_no_run_and_goes_on_in_lines(shell, capsys, published):
    def gone(**message):
        if len(shell.published) >= published:
            raise RuntimeError("no kernel")
        shell.published.append(message)

    shell.display_pub.publish = gone
    run, _ = train(epochs=2)
    assert len(run.history) == 2
    said = capsys.readouterr().err
    assert said.count("epoch 2/2") == (1 if published == 0 else 0)  # at the end there is nothing left to tell
    assert "Traceback" not in said
    assert "observer" not in said


def test_lines_that_take_over_know_where_the_run_is(shell, clock, capsys, monkeypatch):
    observer = Training(shell)
    for event in (Started({"epochs": 3, "steps_per_epoch": 10}), Said("first."), ended(1), stepped(11, epoch=2)):
        observer(event)
    monkeypatch.setattr(observer, "_tell", lambda *_: 1 / 0)
    clock.now += 10
    observer(stepped(12, epoch=2))
    observer(ended(2))
    said = capsys.readouterr().err
    assert said.startswith("note: first.\n")
    assert said.count("epoch 2/3") == 1


def test_a_terminal_is_no_notebook_and_training_there_loads_nothing_of_it():
    assert notebook_shell() is None
    assert type(shown(True)).__name__ == "Progress"
    program = (
        "import sys, torch, truestep as ts; model = torch.nn.Linear(2, 1); data = torch.ones(4, 2), torch.ones(4, 1)\n"
        "ts.fit(model, data, torch.nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.1), epochs=1)\n"
        "ours = {'truestep.notebook', 'truestep.board', 'anywidget', 'ipywidgets', 'IPython', 'comm', 'rich'}\n"
        "print(sorted(ours & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_shell_without_a_kernel_is_no_notebook(monkeypatch):
    for found in (SimpleNamespace(), None):
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda found=found: found))
        assert notebook_shell() is None
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1)))
    assert notebook_shell() is not None


def test_a_long_run_takes_bounded_memory_loses_no_peak_and_has_a_mean():
    picture = Picture()
    for number in range(1, 5001):
        picture.see(stepped(number, loss=1000.0 if number == 3333 else 1.0))
    (loss, norm) = picture.by_step()
    assert len(loss["x"]) <= DRAWN
    assert loss["y"][loss["x"].index(3333)] == 1000.0
    assert 1 < len(loss["trend"]["x"]) <= 100
    assert norm["trend"]["y"] == [0.5] * len(norm["trend"]["y"])
    short = Picture()
    short.see(stepped(1))
    assert short.by_step()[0]["trend"] is None


def test_the_curve_of_a_rate_is_told_where_it_changes():
    picture = Picture()
    for number in range(1, 4):
        picture.see(stepped(number, lr=0.1))
    assert [curve["name"] for curve in picture.by_step()] == ["train_loss", "grad_norm"]
    picture.see(stepped(4, lr=0.05))
    assert picture.by_step()[-1]["y"] == [0.1, 0.1, 0.1, 0.05]
    assert facts(picture.state)["words"][-1] == "learning rate 0.05"


def test_what_is_no_number_is_a_gap_and_a_skipped_step_is_no_point():
    picture = Picture()
    for number, loss in ((1, 1.0), (2, float("nan")), (3, 2.0)):
        picture.see(stepped(number, loss=loss))
    picture.see(stepped(4, skipped=True))
    assert picture.by_step()[0]["y"] == [1, None, 2]
    assert picture.state.done == 4


def test_a_resumed_run_goes_on_where_it_was(clock):
    picture = Picture()
    history = [ended(1, valid=3.0).record, ended(2, valid=2.0).record, ended(3, valid=float("nan")).record]
    picture.see(Started({"epochs": 10, "steps_per_epoch": 10}))
    picture.see(Resumed(35, 4, 5, history))
    state = picture.state
    assert (state.epoch, state.done, state.best["epoch"], state.share) == (4, 5, 2, 0.35)
    clock.now += 10
    picture.see(stepped(36, epoch=4))
    assert (state.done, state.headline) == (6, "epoch 4 of 10, step 6/10")
    assert facts(state)["words"][1] == "about 10 min 40 s left"  # 64 hundredths are left; one took ten seconds
    assert next(curve for curve in picture.by_epoch() if curve["name"] == "valid_loss")["y"] == [3, 2, None]


def test_where_nobody_knows_how_long_it_is_there_is_no_share_of_it():
    state = State(epoch=2, done=7, seconds=3.0)
    assert (state.share, state.headline, state.words()) == (None, "epoch 2, step 7", ["3 s"])
    assert State().headline == "about to begin"
    assert text(State(status="failed: ValueError: x")) == "failed after epoch 0, 0 s"


def test_of_many_sentences_the_last_are_shown():
    said = State(notes=[f"sentence {number}." for number in range(1, 21)], reason="the end.").said()
    assert (said[0], said[1], said[-2:]) == ("… and 12 before", "sentence 13.", ["sentence 20.", "the end."])
