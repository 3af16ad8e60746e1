"""Whatever goes wrong around a run costs the run as little as it can: weights, history and record stay in order."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import truestep as ts
from laws.step_cases import network, same_weights
from truestep.fit import recorder
from truestep.store.atomic import StoreError
from truestep.store.rundb import read_run
from truestep.store.weights import load_weights
from unit.fit_cases import CASES, normalised, sgd, simple, weights

VALID = CASES["tokens"].data(6, seed=2)
Data = tuple[Tensor, Tensor]


def steady(**options: Any) -> dict[str, Any]:
    """A run of 12 samples in their own order, 4 a batch: 3 steps an epoch, with momentum."""
    model = options.pop("model", None) or network()
    x, y = CASES["values"].data(12)
    own = {"model": model, "train": (x, y), "objective": nn.MSELoss(), "optimizer": sgd(model, momentum=0.9)}
    return {**own, "batch_size": 4, "shuffle": False, "epochs": 3, **options}


def spoiled(model: nn.Module, epoch: int, value: float) -> Any:
    """An observer that spoils one sample of the data before the epoch after `epoch`, and what it spoils."""
    x, y = CASES["values"].data(12)

    def observer(event: Any) -> None:
        if isinstance(event, ts.events.EpochEnded) and event.record.epoch == epoch:
            x[5, 1] = value

    return {"train": (x, y), "observers": [observer]}


# --- what is not finite ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("micro", [None, 2])
def test_one_bad_sample_stops_the_run_in_good_order(tmp_path: Path, bad: float, micro: int | None):
    """Two good epochs and one good step: weights are those before the bad step, and all else is complete."""
    model, other, best = network(), network(), network()
    data = CASES["values"].data(5, seed=2)
    options = {"validate": data, "micro_batch": micro, "run_dir": tmp_path}
    run = simple(**steady(model=model, **spoiled(model, 2, bad), **options))
    assert run.stopped.startswith("stopped: step 8: the loss MSELoss is ")
    assert "and the gradient of 0.weight is not finite in " in run.stopped
    assert "the weights are as they were before this step" in run.stopped
    assert run.steps == 7
    optimizer = sgd(other, momentum=0.9)
    simple(**steady(model=other, optimizer=optimizer, epochs=2, micro_batch=micro))
    x, y = CASES["values"].data(12)
    ts.TrainStep(other, nn.MSELoss(), optimizer, micro_batch=micro)(x[:4], y[:4])
    assert same_weights(model, other, rtol=0.0)
    assert [record.epoch for record in run.history] == [1, 2]
    assert run.best is not None
    run.load_best(best)
    assert ts.evaluate(best, data, nn.MSELoss()).loss == run.best.valid_loss
    record = read_run(tmp_path / "run.sqlite")
    assert (record.status, len(record.epochs), record.events[-1].text) == ("stopped", 2, run.stopped)
    assert load_weights(tmp_path / "best.safetensors").keys() == best.state_dict().keys()


def test_raise_raises_before_the_weights_move():
    model, other = network(), network()
    with pytest.raises(ts.NonFiniteError, match=r"^step 5: the loss MSELoss is nan and the gradient of 0\.weight"):
        simple(**steady(model=model, **spoiled(model, 1, float("nan"))), nonfinite="raise")
    optimizer = sgd(other, momentum=0.9)
    simple(**steady(model=other, optimizer=optimizer, epochs=1))
    x, y = CASES["values"].data(12)
    ts.TrainStep(other, nn.MSELoss(), optimizer)(x[:4], y[:4])
    assert same_weights(model, other, rtol=0.0)


def test_skip_leaves_the_bad_batch_out_and_says_so():
    """As if its samples had not been there; figures of the epoch are those of the others."""
    model, other = network(), network()
    x, y = CASES["values"].data(12)
    bad = x.clone()
    bad[5, 1] = float("nan")
    run = simple(**steady(model=model, train=(bad, y), nonfinite="skip", epochs=1))
    keep = [0, 1, 2, 3, 8, 9, 10, 11]
    clean = simple(**steady(model=other, train=(x[keep], y[keep]), epochs=1))
    assert same_weights(model, other, rtol=0.0)
    record = run.history[0]
    assert (record.steps, record.skipped, record.samples) == (2, 1, 8)
    assert record.train_loss == clean.history[0].train_loss
    assert len(run.notes) == 1
    assert run.notes[0].startswith(
        "step 2 skipped: the loss MSELoss is nan and the gradient of 0.weight is not finite in "
    )


def test_running_statistics_are_not_spoiled():
    model = normalised()
    x, y = CASES["tokens"].data(12)
    x[9] = float("inf")
    run = simple(**steady(model=model, train=(x, y), objective=nn.CrossEntropyLoss(), batch_size=6))
    assert run.stopped.startswith("stopped: step 2: ")
    assert model[1].running_mean.isfinite().all()
    assert model[1].num_batches_tracked == 1


# --- observers ------------------------------------------------------------------------------------------------------


def test_observers_see_every_event_in_order_and_cannot_change_it():
    seen: list[Any] = []
    run = simple(
        **steady(observers=[seen.append], epochs=2, objective=nn.MSELoss(reduction="sum"), validate=VALID_VALUES)
    )
    names = [type(event).__name__ for event in seen]
    epoch = ["Stepped"] * 3 + ["EpochEnded"]
    assert names == ["Started", "Said", *epoch, *epoch, "Ended"]
    assert [event.step for event in seen if isinstance(event, ts.events.Stepped)] == [1, 2, 3, 4, 5, 6]
    assert [event.epoch for event in seen if isinstance(event, ts.events.Stepped)] == [1, 1, 1, 2, 2, 2]
    assert [event.record for event in seen if isinstance(event, ts.events.EpochEnded)] == list(run.history)
    assert [event.best for event in seen if isinstance(event, ts.events.EpochEnded)] == [
        True,
        run.best is run.history[1],
    ]
    assert seen[0].settings["epochs"] == 2
    assert (seen[-1].status, seen[-1].reason) == ("finished", "")
    for event in seen:
        for name in event.__slots__:
            with pytest.raises(AttributeError):
                setattr(event, name, None)


VALID_VALUES = CASES["values"].data(5, seed=2)


def test_observers_that_spoil_what_they_are_shown_spoil_nothing():
    def spoil(event: Any) -> None:
        if isinstance(event, ts.events.Started):
            event.settings["epochs"] = 99
        if isinstance(event, ts.events.Stepped):
            for figures in (event.out.totals, event.out.counts, event.out.terms):
                figures.clear()
            for found in event.out.metrics.values():
                found.total.zero_()

    model, other = network(), network()
    options = {"validate": VALID_VALUES, "metrics": ts.metrics.mean_absolute_error}
    run = simple(**steady(model=model, observers=[spoil], **options))
    clean = simple(**steady(model=other, **options))
    assert same_weights(model, other, rtol=0.0)
    for mine, theirs in zip(run.history, clean.history, strict=True):
        assert {**mine, "seconds": 0} == {**theirs, "seconds": 0}


@pytest.mark.parametrize("several", [1, 2, 3])
def test_observers_that_fail_are_left_out_and_said(several: int):
    calls = []

    def broken(event: Any) -> None:
        calls.append(event)
        raise RuntimeError("no disk")

    class Thing:
        def __call__(self, event: Any) -> None:
            calls.append(event)
            raise KeyError("x")

    seen: list[Any] = []
    observers = [broken, Thing(), broken][:several]
    model, other = network(), network()
    run = simple(**steady(model=model, observers=[*observers, seen.append]))
    simple(**steady(model=other))
    assert same_weights(model, other, rtol=0.0)
    said = ["the observer broken failed (RuntimeError: no disk) and is left out from here."]
    said += ["the observer Thing failed (KeyError: 'x') and is left out from here."] if several > 1 else []
    assert sorted(run.notes) == sorted(said)
    assert len(calls) == several
    assert sorted(event.text for event in seen if isinstance(event, ts.events.Said)) == sorted(said)
    assert isinstance(seen[0], ts.events.Started)
    assert isinstance(seen[-1], ts.events.Ended)


# --- the run folder -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["run", "run/inside"])
def test_a_file_in_the_way_of_the_folder_is_refused_before_training(tmp_path: Path, where: str):
    (tmp_path / "run").write_text("mine")
    model, seen = network(), []
    before = weights(model)
    with pytest.raises(StoreError, match=r"run(/inside)? cannot be made: .*; (a file stands|move it)") as caught:
        simple(**steady(model=model, run_dir=tmp_path / where, observers=[seen.append]))
    assert "\n" not in str(caught.value)
    assert seen == []
    assert all(torch.equal(a, b) for a, b in zip(before, weights(model), strict=True))
    assert (tmp_path / "run").read_text() == "mine"


def in_the_way(folder: Path) -> None:
    folder.mkdir()
    (folder / "run.sqlite").mkdir()


def foreign(folder: Path) -> None:
    folder.mkdir()
    (folder / "run.sqlite").write_bytes(b"not a database" * 100)


@pytest.mark.parametrize("prepare", [in_the_way, foreign])
def test_a_record_that_cannot_be_opened_is_said_and_costs_nothing(
    tmp_path: Path, prepare: Any, capsys: pytest.CaptureFixture[str]
):
    prepare(tmp_path / "run")
    model, other, seen = network(), network(), []
    run = simple(**steady(model=model, run_dir=tmp_path / "run", observers=[seen.append], validate=VALID_VALUES))
    simple(**steady(model=other))
    assert same_weights(model, other, rtol=0.0)
    assert len(run.notes) == 1
    assert "run.sqlite cannot be written (" in run.notes[0]
    assert capsys.readouterr().err == f"note: {run.notes[0]}\n"
    assert [type(event).__name__ for event in seen[:3]] == ["Started", "Said", "Stepped"]
    assert load_weights(tmp_path / "run" / "best.safetensors").keys() == model.state_dict().keys()


def test_a_folder_that_vanishes_during_the_run_costs_nothing(tmp_path: Path):
    def vandal(event: Any) -> None:
        if isinstance(event, ts.events.EpochEnded) and event.record.epoch == 1:
            shutil.rmtree(tmp_path / "run")

    model, other = network(), network()
    run = simple(**steady(model=model, run_dir=tmp_path / "run", observers=[vandal], validate=VALID_VALUES))
    simple(**steady(model=other))
    assert same_weights(model, other, rtol=0.0)
    assert len(run.history) == 3
    assert run.notes
    assert all("cannot be written" in note for note in run.notes)


@pytest.mark.parametrize(
    "error", [StoreError("the disk is full"), ts.DataError("the disk is full"), OSError("the disk is full")]
)
def test_best_weights_that_cannot_be_written_are_said_once_and_the_record_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def full(path: Any, tensors: Any) -> None:
        raise error

    monkeypatch.setattr(recorder, "save_weights", full)
    run = simple(**steady(run_dir=tmp_path, validate=VALID_VALUES))
    assert run.notes == ["the disk is full"]
    record = read_run(tmp_path / "run.sqlite")
    assert (record.status, len(record.epochs)) == ("finished", 3)
    assert run.best is not None


def test_weights_that_no_file_can_hold_cost_nothing_but_the_file(tmp_path: Path):
    model = network()
    model.register_buffer("phases", torch.zeros(2, dtype=torch.complex128))
    run = simple(**steady(model=model, run_dir=tmp_path, validate=VALID_VALUES))
    assert run.notes == ["safetensors cannot hold tensors of type torch.complex128: convert them first"]
    assert read_run(tmp_path / "run.sqlite").status == "finished"
    assert run.load_best(model) is run.best


@pytest.mark.parametrize("kind", [ts.events.Started, ts.events.Stepped, ts.events.EpochEnded])
def test_ctrl_c_leaves_a_closed_record(tmp_path: Path, kind: Any):
    def interrupt(event: Any) -> None:
        if isinstance(event, kind):
            raise KeyboardInterrupt

    before = torch.get_rng_state()
    options = steady(run_dir=tmp_path, observers=[interrupt])
    torch.set_rng_state(before)
    with pytest.raises(KeyboardInterrupt):
        simple(**options)
    assert torch.equal(before, torch.get_rng_state())
    record = read_run(tmp_path / "run.sqlite")
    steps = {ts.events.Started: 0, ts.events.Stepped: 1, ts.events.EpochEnded: 3}[kind]
    assert (record.status, record.events[-1].text) == ("interrupted", f"interrupted after {steps} steps.")
    assert [path.name for path in tmp_path.iterdir()] == ["run.sqlite"]
