"""The run folder holds what the run was: its settings, every step, every epoch, every sentence, the best weights."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn, optim
from torch.utils._python_dispatch import TorchDispatchMode

import truestep as ts
from laws.step_cases import network
from truestep.fit import loop
from truestep.store.rundb import RunRecord, read_run, read_scalars
from truestep.store.runs import list_runs
from truestep.store.weights import load_weights
from unit.fit_cases import CASES, by_the_user, sgd, simple

VALID = CASES["tokens"].data(6, seed=2)


def kept(folder: Path) -> RunRecord:
    return read_run(folder / "run.sqlite")


def steps_of(**options: Any) -> tuple[ts.Run, list[ts.events.Stepped]]:
    seen: list[ts.events.Stepped] = []
    run = simple(
        **options, observers=[lambda event: seen.append(event) if isinstance(event, ts.events.Stepped) else None]
    )
    return run, seen


def test_every_step_every_epoch_and_the_settings_are_written(tmp_path: Path):
    model = network()
    optimizer = sgd(model)
    schedule = ts.per_step(optim.lr_scheduler.ExponentialLR(optimizer, 0.5))
    run, seen = steps_of(
        model=model, optimizer=optimizer, schedule=schedule, run_dir=tmp_path / "a" / "b", validate=VALID, epochs=3,
        micro_batch=2, accumulate=2, clip_norm=0.5, metrics=ts.metrics.accuracy, amp="bfloat16", seed=4,
    )  # fmt: skip
    folder = tmp_path / "a" / "b"
    assert run.folder == folder
    assert sorted(path.name for path in folder.iterdir()) == ["best.safetensors", "run.sqlite"]
    record = kept(folder)
    assert record.config == {
        "model": "Sequential", "objective": "Objective(CrossEntropyLoss=1 * CrossEntropyLoss)",
        "optimizer": record.config["optimizer"], "micro_batch": 2, "clip_norm": 0.5, "amp": "torch.bfloat16",
        "ranks": 1, "steps_per_epoch": 2, "epochs": 3, "seed": 4, "batch_size": 4, "shuffle": True, "accumulate": 2,
        "tail": "step", "patience": None, "evaluate_every": 1,
    }  # fmt: skip
    assert record.config["optimizer"].startswith("SGD(lr=0.1")
    assert record.epochs == [dict(epoch) for epoch in run.history]
    assert (record.status, record.events) == ("finished", [])
    assert len(seen) == run.steps == 6
    for name, figures in {
        "train_loss": [event.out.loss for event in seen],
        "grad_norm": [event.out.grad_norm for event in seen],
        "lr": [0.1 * 0.5**number for number in range(6)],
    }.items():
        steps, values = read_scalars(folder / "run.sqlite", name)
        assert steps.tolist() == [1, 2, 3, 4, 5, 6]
        assert np.allclose(values, figures, rtol=1e-15, atol=0)


def test_the_best_weights_are_the_file(tmp_path: Path):
    model, other = network(), network()
    optimizer = sgd(model, 0.5)
    schedule = ts.per_epoch(optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 3.0**epoch))
    train = CASES["tokens"].data(13)
    run = simple(model=model, optimizer=optimizer, schedule=schedule, run_dir=tmp_path, validate=train, epochs=6)
    assert run.best is not None
    assert run.best.epoch < 6
    run.load_best(other)
    file = load_weights(tmp_path / "best.safetensors")
    assert file.keys() == other.state_dict().keys()
    assert all(torch.equal(file[name], value) for name, value in other.state_dict().items())
    assert list_runs(tmp_path.parent)[0].best_valid_loss == run.best.valid_loss


def test_a_folder_is_found_from_home_and_stays_when_the_program_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def move(event: Any) -> None:
        monkeypatch.chdir(tmp_path / "elsewhere")

    for given, folder in (("~/far", tmp_path / "far"), ("near", Path("near"))):
        monkeypatch.chdir(tmp_path)
        assert simple(run_dir=given, observers=[move], validate=VALID).folder == folder
        monkeypatch.chdir(tmp_path)
        assert sorted(path.name for path in folder.iterdir()) == ["best.safetensors", "run.sqlite"]
        assert kept(folder).status == "finished"
    assert not list((tmp_path / "elsewhere").iterdir())


def test_without_validation_there_are_no_best_weights(tmp_path: Path):
    simple(run_dir=str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["run.sqlite"]


def test_tensors_of_a_plain_function_are_kept_by_their_position(tmp_path: Path):
    w = torch.zeros(3, 5, dtype=torch.float64, requires_grad=True)
    data = CASES["values"].data(6)

    def update(batch_size: int) -> None:
        w.sub_(0.1 * w.grad / batch_size)

    simple(model=lambda x: x @ w, train=data, objective=nn.MSELoss(), optimizer=update, params=[w], run_dir=tmp_path,
           validate=data)  # fmt: skip
    file = load_weights(tmp_path / "best.safetensors")
    assert list(file) == ["0"]
    assert torch.equal(file["0"], w.detach())
    with pytest.raises(ts.DataError, match=r"has no scalar 'lr': it has grad_norm, train_loss"):
        read_scalars(tmp_path / "run.sqlite", "lr")


def test_sentences_and_skipped_steps_are_events(tmp_path: Path):
    x, y = CASES["values"].data(6)
    x[2:4] = float("nan")
    model = network()
    loss = nn.MSELoss(reduction="sum")
    run = simple(model=model, train=(x, y), objective=loss, optimizer=sgd(model, 1e-3), epochs=1, batch_size=2,
                 shuffle=False, nonfinite="skip", run_dir=tmp_path)  # fmt: skip
    events = [(event.kind, event.text) for event in kept(tmp_path).events]
    assert ("note", run.notes[0]) in events
    assert [text for kind, text in events if kind == "skipped"] == [run.notes[1]]
    assert read_scalars(tmp_path / "run.sqlite", "train_loss")[0].tolist() == [1, 3]


def interrupting(event: Any) -> None:
    if isinstance(event, ts.events.EpochEnded):
        raise KeyboardInterrupt


def test_every_end_of_a_run_is_written(tmp_path: Path):
    x, y = CASES["tokens"].data(13)
    bad = x.clone()
    bad[12] = float("nan")
    run = simple(train=(bad, y), batch_size=4, shuffle=False, run_dir=tmp_path / "stopped")
    with pytest.raises(KeyboardInterrupt):
        simple(observers=[interrupting], run_dir=tmp_path / "interrupted")
    with pytest.raises(ZeroDivisionError):
        simple(metrics={"broken": lambda output, target: 1 // 0}, run_dir=tmp_path / "failed")
    with pytest.raises(ts.NonFiniteError):
        simple(train=(bad, y), batch_size=4, shuffle=False, nonfinite="raise", run_dir=tmp_path / "raised")
    ends = {folder.name: kept(folder) for folder in tmp_path.iterdir()}
    assert {name: record.status for name, record in ends.items()} == {
        "stopped": "stopped", "interrupted": "interrupted", "failed": "failed", "raised": "failed",
    }  # fmt: skip
    said = {name: [event.text for event in record.events if event.kind == "end"] for name, record in ends.items()}
    assert said["stopped"] == [run.stopped]
    assert said["interrupted"] == ["interrupted after 4 steps."]
    assert said["failed"] == ["failed after 0 steps: integer division or modulo by zero"]
    assert re.match(r"^failed after 3 steps: step 4: the loss CrossEntropyLoss is nan", said["raised"][0])
    assert [len(ends[name].epochs) for name in ("stopped", "interrupted", "failed")] == [0, 1, 0]
    assert all(not list(folder.glob("run.sqlite-*")) for folder in tmp_path.iterdir())


# --- what a run costs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "observers, made",
    [
        ([], 0),
        ([lambda event: None], 8),
        ([type("Epochs", (), {"wants_steps": False, "__call__": lambda self, event: None})()], 0),
    ],
    ids=["nobody", "everything", "epochs only"],
)
def test_events_of_steps_are_made_only_where_somebody_wants_them(
    monkeypatch: pytest.MonkeyPatch, observers: list[Any], made: int
):
    count = 0

    def counted(*args: Any) -> ts.events.Stepped:
        nonlocal count
        count += 1
        return ts.events.Stepped(*args)

    monkeypatch.setattr(loop, "Stepped", counted)
    simple(observers=observers, progress=True)
    assert count == made


class Reads(TorchDispatchMode):
    """Counts the numbers that are read from tensors, each of which waits for a device."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


def reads(batch_size: int, **options: Any) -> int:
    model = network()
    given = {
        "model": model,
        "optimizer": sgd(model),
        "train": CASES["values"].data(24),
        "objective": nn.MSELoss(),
        **options,
    }
    with Reads() as found:
        simple(**given, batch_size=batch_size)
    return found.count


def test_the_history_reads_no_number_from_a_device_at_every_step(tmp_path: Path):
    """24 more steps read the figures of 24 steps: metrics, validation, observers and a run folder add none to them."""
    everything = {"validate": CASES["values"].data(6), "metrics": ts.metrics.mean_squared_error, "run_dir": tmp_path,
                  "observers": [lambda event: None]}  # fmt: skip
    more = reads(1) - reads(2)
    assert reads(1, **everything) - reads(2, **everything) == more
    assert more == 24 * (1 + len(list(network().parameters())))  # the total, and the norm of each parameter's gradient


def test_a_hand_written_updater_has_its_steps_recorded_too(tmp_path: Path):
    model = network()
    simple(model=model, optimizer=by_the_user(model), run_dir=tmp_path)
    assert kept(tmp_path).config["optimizer"] == "updater update"
    assert len(read_scalars(tmp_path / "run.sqlite", "grad_norm")[0]) == 8
