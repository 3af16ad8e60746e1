"""`truestep train RECIPE --checkpoint DIR --resume`: a run that is killed goes on, and its record with it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from truestep.recipes import linreg
from truestep.store.keep import Kept
from truestep.store.rundb import read_run, read_scalars
from truestep.store.weights import load_weights

pytestmark = pytest.mark.usefixtures("elsewhere")
WORDS = ["train", "linreg", "--form", "built-in", "--no-figure", "--runs", "runs"]


def figures(folder: Path) -> list[dict]:
    return [{k: v for k, v in record.items() if k != "seconds"} for record in read_run(folder / "run.sqlite").epochs]


def test_a_killed_run_goes_on_in_its_own_folder(run):
    """SIGKILL reaches a real run between two checkpoints; the resumed one ends as one that was never interrupted."""
    words = [*WORDS, "--epochs", "25", "--checkpoint", "saved"]
    child = subprocess.Popen([sys.executable, "-m", "truestep", *words], stderr=subprocess.DEVNULL, env={**os.environ})
    try:
        while not Kept("saved").paths():
            assert child.poll() is None
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        assert child.wait(60) == -signal.SIGKILL
    finally:
        child.kill()
    (folder,) = Path("runs").iterdir()
    assert read_run(folder / "run.sqlite").status == "interrupted"
    status, out, err = run(*words, "--resume", "--json")
    assert (status, json.loads(out)["folder"]) == (0, str(folder))
    assert "note: resumed from " in err
    assert list(Path("runs").iterdir()) == [folder]
    run("train", "linreg", "--form", "built-in", "--no-figure", "--run-dir", "whole", "--epochs", "25")
    whole = Path("whole")
    assert figures(folder) == figures(whole)
    assert len(figures(folder)) == 25
    assert read_run(folder / "run.sqlite").status == "finished"
    for name in ("train_loss", "grad_norm", "lr"):
        one, other = (read_scalars(each / "run.sqlite", name) for each in (folder, whole))
        assert (one[0] == other[0]).all()
        assert (one[1] == other[1]).all()
    one, other = (load_weights(each / "best.safetensors") for each in (folder, whole))
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_ctrl_c_finishes_the_step_and_says_how_to_go_on(run, monkeypatch):
    calls = []

    def interrupted(output, y):
        calls.append(1)
        if len(calls) == 5:
            signal.raise_signal(signal.SIGINT)
        return (output - y) ** 2

    words = ["train", "linreg", "--no-figure", "--run-dir", "here", "--checkpoint", "saved"]
    monkeypatch.setattr(linreg, "squared_error", interrupted)
    status, _, err = run(*words)
    saved = Path("saved").absolute()
    assert status == 130
    assert err.splitlines()[-2:] == [
        f"interrupted by SIGINT after 5 steps; their state is saved in {saved}: resume=True goes on from it.",
        "interrupted; what was recorded until then is in here; the same command with --resume goes on.",
    ]
    assert read_run("here/run.sqlite").events[-1].text == err.splitlines()[-2]
    status, _, err = run(*words, "--resume")
    assert status == 0
    assert [record["epoch"] for record in figures(Path("here"))] == [1, 2, 3]
    status, out, _ = run(*words, "--resume", "--json")
    assert (status, len(json.loads(out)["history"])) == (0, 3)


def test_a_run_of_other_settings_is_refused_and_left_as_it_is(run):
    words = [*WORDS, "--checkpoint", "saved"]
    run(*words, "--epochs", "2")
    (folder,) = Path("runs").iterdir()
    before = read_run(folder / "run.sqlite")
    status, out, err = run(*words, "--resume", "--batch-size", "20")
    assert (status, out) == (2, "")
    assert err.endswith(
        "of another run: batch_size was 10 and is 20; give the settings of that run, or another folder for this one.\n"
    )
    assert read_run(folder / "run.sqlite") == before
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert "holds checkpoints already: resume=True (--resume) goes on with their run; or give another folder." in err
    assert list(Path("runs").iterdir()) == [folder]


def test_resume_needs_a_folder_and_may_find_it_empty(run):
    assert run(*WORDS, "--resume") == (
        2, "", "--resume goes on from a folder of checkpoints: add --checkpoint DIR.\n",
    )  # fmt: skip
    status, _, err = run(*WORDS, "--epochs", "1", "--checkpoint", "saved", "--resume")
    assert status == 0
    assert "note: saved holds no checkpoint yet: the run begins at its start." in err
