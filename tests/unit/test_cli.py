"""stdout carries results, stderr progress, a mistake gets one sentence, and the exit status says how it went."""

import json
import subprocess
import sys

import pytest
import torch

import truestep as ts
from truestep.cli import figures, show
from truestep.cli.main import main
from truestep.recipes import linreg, mlp, softmax
from truestep.store.rundb import RunDB, read_run
from truestep.store.runs import new_run_folder
from truestep.store.weights import load_weights

QUICK = ["--epochs", "2", "--no-figure"]


pytestmark = pytest.mark.usefixtures("elsewhere")


def test_a_run_prints_an_epoch_a_line_the_best_one_and_where_everything_is(run, tmp_path):
    status, out, err = run("train", "linreg", "--run-dir", "here")
    assert status == 0
    lines = out.splitlines()
    assert lines[0].split("  ")[0] == "epoch"
    assert [line.split()[0] for line in lines[2:5]] == ["1", "2", "3"]
    assert "w = [1.9999, -3.4007], b = 4.2003" in out
    assert "best epoch     3 of 3, with the least validation loss" in lines
    for name in ("run.sqlite", "best.safetensors", "curves.png", "curves.svg"):
        assert any(line.endswith(f"here/{name}") for line in lines)
        assert (tmp_path / "here" / name).stat().st_size > 0
    assert [line.split("  ")[0] for line in err.splitlines()] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]


def test_a_run_of_images_also_draws_predictions(run, tmp_path):
    status, out, _ = run("train", "softmax", "--epochs", "1", "--runs", "all")
    (folder,) = (tmp_path / "all").iterdir()
    assert status == 0
    assert folder.name.startswith("softmax-")
    assert {path.name for path in folder.iterdir()} == {
        *("run.sqlite", "best.safetensors", "curves.png", "curves.svg", "predictions.png", "predictions.svg")
    }
    assert "test accuracy" in out


@pytest.mark.parametrize("recipe", [softmax, mlp])
@pytest.mark.parametrize("form", softmax.FORMS)
def test_predictions_are_those_of_the_best_weights(recipe, form):
    (x, y), (u, v) = ts.data.digits(8)
    split = ts.data.Split(
        (x[:300], y[:300]), (u[: figures.SHOWN], v[: figures.SHOWN]), "some", ts.data.digits(8).classes
    )
    trained = recipe.train(form, split, epochs=2, progress=False)
    worse = recipe.train(form, split, epochs=1, lr=0.0, progress=False)
    for run in (trained, worse):
        images, truth, guess = figures.predicted(recipe, {"form": form}, run, split)
        assert torch.equal(images, split.test[0])
        right = [one == other for one, other in zip(truth, guess, strict=True)]
        assert run.best is not None
        assert sum(right) / len(right) == pytest.approx(run.best.valid_accuracy)
    assert trained.best.valid_accuracy > worse.best.valid_accuracy


def test_json_is_one_object_with_every_epoch_and_every_path(run, tmp_path):
    status, out, _ = run("train", "weight_decay", "--form", "built-in", "--json", *QUICK)
    found = json.loads(out)
    assert status == 0
    assert out.count("\n") == 1
    assert (found["recipe"], found["form"], found["weight_decay"]) == ("weight-decay", "built-in", 3.0)
    assert [record["epoch"] for record in found["history"]] == [1, 2]
    assert found["best"]["epoch"] == 2
    assert found["stopped"] == ""
    assert found["figures"] == []
    for name in ("folder", "database", "weights"):
        assert (tmp_path / found[name]).exists()


def test_a_tilde_that_the_shell_left_alone_is_the_home(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    assert run("train", "linreg", "--run-dir=~/one", *QUICK)[0] == 0
    assert run("train", "linreg", "--runs=~/all", *QUICK)[0] == 0
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["all", "one"]
    assert len(json.loads(run("runs", "--root=~/all", "--json")[1])["runs"]) == 1


def test_json_has_null_for_what_is_not_a_number(capsys):
    show.show_json({"a": float("nan"), "b": [float("inf"), 1.5, True, None], "c": ts.Record({"d": 1})})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5, True, None], "c": {"d": 1}}


def test_options_reach_the_recipe_the_fit_and_the_record(run):
    words = ["--batch-size", "100", "--lr", "0.2", "--seed", "3", "--hidden", "5", "--micro-batch", "30"]
    words += ["--accumulate", "2", "--clip-norm", "0.5", "--amp", "bfloat16", "--data", "digits"]
    assert run("train", "mlp", "--run-dir", "here", *QUICK, *words)[0] == 0
    config = read_run("here/run.sqlite").config
    asked = {"recipe": "mlp", "form": "by-hand", "epochs": 2, "batch_size": 100, "lr": 0.2, "seed": 3, "hidden": 5}
    step = {"micro_batch": 30, "accumulate": 2, "clip_norm": 0.5, "amp": "torch.bfloat16", "data": "digits"}
    assert {name: config[name] for name in asked | step} == asked | step
    assert load_weights("here/best.safetensors")["0"].shape == (784, 5)


def test_the_weights_are_those_of_the_library(run):
    run("train", "linreg", "--seed", "4", "--run-dir", "here", *QUICK)
    trained = linreg.train(seed=4, epochs=2, progress=False)
    kept = load_weights("here/best.safetensors")
    assert all(torch.equal(kept[str(k)], p) for k, p in enumerate(trained.parameters))


def test_a_run_that_diverges_keeps_its_record_and_fails(run):
    status, out, err = run("train", "linreg", "--lr", "1e30", "--run-dir", "here")
    assert status == 3
    assert err.startswith("stopped: step 2: the loss squared_error is inf; the weights are as they were")
    assert "run folder     here" in out
    assert read_run("here/run.sqlite").status == "stopped"


def test_ctrl_c_says_where_the_record_is(run, monkeypatch):
    calls = iter(range(1000))

    def interrupted(output, y):
        if next(calls) == 150:
            raise KeyboardInterrupt
        return (output - y) ** 2

    monkeypatch.setattr(linreg, "squared_error", interrupted)
    status, out, err = run("train", "linreg", "--run-dir", "here")
    assert (status, out) == (130, "")
    assert err.splitlines()[-1] == "interrupted; what was recorded until then is in here."
    assert read_run("here/run.sqlite").status == "interrupted"


def test_a_bug_shows_its_traceback_and_does_not_read_as_a_finding(run, monkeypatch):
    monkeypatch.setattr(linreg, "sgd", lambda *_: 1 / 0)
    status, out, err = run("train", "linreg")
    assert (status, out) == (3, "")
    assert "ZeroDivisionError" in err


def test_without_matplotlib_the_training_succeeds_and_a_sentence_says_what_is_missing(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, out, err = run("train", "linreg")
    assert status == 0
    assert err.splitlines()[-1].startswith("no figure: figures need matplotlib ")
    assert err.splitlines()[-1].endswith('pip install "truestep[plot]"')
    assert "figure" not in out


def test_digits_that_stand_in_for_mnist_are_said_and_recorded(run, monkeypatch):
    monkeypatch.setenv("TRUESTEP_DATA", "digits")
    _, _, err = run("train", "softmax", "--data", "mnist", "--run-dir", "here", *QUICK)
    assert err.startswith("note: the shipped digits stand in for mnist (TRUESTEP_DATA=digits).\n")
    config = read_run("here/run.sqlite").config
    assert (config["data"], config["source"]) == ("digits", "mnist")


def test_the_recipes_are_listed_with_their_forms(run):
    status, out, _ = run("train", "--list")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()[2:]] == list(ts.recipes.names())
    found = json.loads(run("train", "--list", "--json")[1])["recipes"]
    assert [recipe["forms"] for recipe in found if recipe["name"] == "lenet5"] == [["modern", "classic"]]


def test_the_help_of_a_recipe_tells_every_option_with_its_default(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["train", "lenet5", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert "LeNet-5: two convolutions" in out
    assert "--momentum X how much of the last update is kept in the next (default: 0.9)" in out
    assert "--lr X learning rate, per update of the mean gradient (0.02 for modern, 0.1 for classic)" in out
    assert "--micro-batch N samples a forward pass" in out


def test_the_version_names_what_it_runs_on(run):
    assert run("--version") == (
        0,
        f"truestep {ts.__version__} (torch {torch.__version__}, Python {sys.version.split()[0]})\n",
        "",
    )


def test_no_command_shows_the_help(run):
    status, out, err = run()
    assert (status, out) == (2, "")
    assert "examples:" in err


def make_run(name, losses, accuracy=None):
    folder = new_run_folder(None, name)
    with RunDB(folder / "run.sqlite") as database:
        database.config({"recipe": name})
        for epoch, loss in enumerate(losses, 1):
            database.epoch(epoch, {"epoch": epoch, "valid_loss": loss, "valid_accuracy": accuracy})
    return folder


def test_runs_are_listed_with_the_newest_first(run):
    folders = [make_run("lenet5", [0.5, 0.25], 0.9), make_run("linreg", [])]
    status, out, _ = run("runs")
    rows = [line.split() for line in out.splitlines()[3:]]
    assert status == 0
    assert [row[0] for row in rows] == [folder.name for folder in folders[::-1]]
    assert rows[0][3:7] == ["finished", "-", "-", "-"]
    assert rows[1][3:8] == ["finished", "2", "0.25", "90.00", "%"]
    assert rows[1][-1] == str(folders[0])
    assert len(run("runs", "--limit", "1")[1].splitlines()) == 4
    found = json.loads(run("runs", "--json")[1])["runs"]
    assert [(r["name"], r["epochs"], r["best_valid_loss"], r["valid_accuracy"]) for r in found] == [
        (folders[1].name, 0, None, None),
        (folders[0].name, 2, 0.25, 0.9),
    ]


def test_a_narrow_terminal_loses_whole_columns_and_no_letter_of_the_others(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    show.show_table(("name", "when", "folder"), [("a" * 30, "today", "f" * 30)], spare=("folder", "when"))
    out = capsys.readouterr().out
    assert "a" * 30 in out
    assert "today" in out
    assert "f" * 3 not in out


def test_where_there_are_no_runs_a_sentence_says_how_to_make_one(run):
    assert run("runs") == (0, "", "there are no runs in runs yet: truestep train lenet5 makes one.\n")
    assert json.loads(run("runs", "--json")[1]) == {"root": "runs", "runs": []}


def test_a_long_history_is_thinned_out_and_keeps_its_first_best_and_last_epoch(capsys):
    history = [ts.Record({"epoch": e, "train_loss": 1.0 / e, "samples": 1, "seconds": 1.0}) for e in range(1, 1001)]
    show.show_history(history, 333)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 50
    shown = [line.split()[0] for line in lines[2:-2]]
    assert {"1", "333", "1000"} <= set(shown)
    assert "333 *" in "\n".join(lines)
    assert "1000 epochs, of which 1 in 25, the first, the best (*) and the last are shown" in lines


def test_two_ranks_under_torchrun_end_in_the_weights_of_one_process_and_one_of_them_prints(run, tmp_path):
    run("train", "linreg", "--run-dir", "one", *QUICK)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "truestep", "train", "linreg", "--run-dir", "two", *QUICK]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("best epoch") == 1
    one, two = (load_weights(f"{name}/best.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert all(torch.allclose(one[name], two[name], rtol=1e-5, atol=1e-6) for name in one)
    assert read_run("two/run.sqlite").config["ranks"] == 2


def test_a_reader_of_the_pipe_that_has_gone_is_no_failure(tmp_path):
    command = [sys.executable, "-m", "truestep", "train", "--list"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
