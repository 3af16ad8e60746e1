"""A user's mistake on the command line gets one sentence with what, where and how to mend it, and no traceback."""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from truestep.cli.main import main

QUICK = ["--epochs", "2", "--no-figure"]


pytestmark = pytest.mark.usefixtures("elsewhere")


MISTAKES = {
    "trian": "there is no command 'trian'; did you mean train? it is one of train, lesson, explain, check, prove, "
    "sweep, runs, board, export.",
    "train": "name a recipe, as in truestep train lenet5; truestep train --list shows them.",
    "train lenet": "there is no recipe 'lenet'; did you mean lenet5? it is one of linreg, softmax, mlp, lenet5, "
    "weight-decay.",
    "train --epochs 3 linreg": "the recipe comes first, and then its options: truestep train lenet5 --epochs ...",
    "train linreg --epoch 3": "truestep train linreg does not know --epoch; did you mean --epochs?",
    "train linreg more": "truestep train linreg does not know more; see truestep train linreg --help.",
    "--epochs 3 train": "the command comes first, and then its options: truestep train --epochs ...",
    "train linreg --epochs": "--epochs: expected one argument; see truestep train linreg --help.",
    "train linreg --epochs 0": "--epochs: '0' is not a whole number of at least 1; see truestep train linreg --help.",
    "train linreg --batch-size 1.5": "--batch-size: '1.5' is not a whole number of at least 1; see truestep train "
    "linreg --help.",
    f"train linreg --seed {10**18}": f"--seed: '{10**18}' is not a whole number of at least 0 and at most 18 digits; "
    "see truestep train linreg --help.",
    "train linreg --lr nan": "--lr: 'nan' is not a finite number of at least 0; see truestep train linreg --help.",
    "train linreg --lr -1": "--lr: '-1' is not a finite number of at least 0; see truestep train linreg --help.",
    "train linreg --clip-norm 0": "clip_norm is the largest norm of the gradient, above 0, and not 0.0.",
    "train lenet5 --form moder": "--form: 'moder' is not one of modern, classic (did you mean modern?); see truestep "
    "train lenet5 --help.",
    "train linreg --data digits": "truestep train linreg does not know --data; see truestep train linreg --help.",
    "train mlp --data minst": "there is no data set 'minst'; did you mean 'mnist'? the names are digits, mnist, "
    "fashion-mnist, or give a folder",
    "train mlp --data ./none": "none: there are no IDX files such as t10k-images-idx3-ubyte.gz here or in MNIST/raw; "
    "give the folder that holds them.",
    "train mlp --device hat": "--device: 'hat' is not a device such as cpu or cuda; see truestep train mlp --help.",
    "train mlp --device xpu": "--device: this torch finds no xpu here; leave it out to train on the cpu; see truestep "
    "train mlp --help.",
    "train linreg --run-dir a --runs b": "--runs: not allowed with argument --run-dir; see truestep train linreg "
    "--help.",
    "runs --root none": "there is no folder none: give the folder that holds the runs, or leave --root out.",
    "board --root none": "there is no folder none: give the folder that holds the runs, or leave --root out.",
    "board --port x": "--port: 'x' is not a whole number of at least 0; see truestep board --help.",
    "runs --limit x": "--limit: 'x' is not a whole number of at least 1; see truestep runs --help.",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_gets_one_sentence_and_leaves_nothing_behind(words, run, tmp_path):
    assert run(*words.split()) == (2, "", MISTAKES[words] + "\n")
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []
    assert not list(tmp_path.glob("runs/*"))


def test_data_that_are_missing_are_named_with_the_option_that_fetches_them(run):
    status, _, err = run("train", "mlp", "--data", "mnist")
    assert status == 2
    assert err.startswith("mnist is not in ")
    assert err.endswith("(here: add --fetch).\n")


def test_a_folder_that_cannot_hold_a_run_is_refused(run, tmp_path):
    (tmp_path / "file").write_text("x")
    status, _, err = run("train", "linreg", "--run-dir", "file/below")
    assert status == 2
    assert err.startswith(f"{tmp_path}/file cannot be made: file exists; a file stands where the folder should go")
    (tmp_path / "shut").mkdir()
    (tmp_path / "shut" / "run.sqlite").symlink_to(tmp_path / "nowhere" / "run.sqlite")
    status, out, err = run("train", "linreg", "--run-dir", "shut", *QUICK)
    assert (status, out) == (2, "")
    assert err == (
        f"shut cannot hold a run: {tmp_path}/shut/run.sqlite cannot be written (unable to open database file).\n"
    )
    assert run("train", "linreg", "--run-dir", "here", *QUICK)[0] == 0
    again = run("train", "linreg", "--run-dir", "here", *QUICK)
    assert again == (2, "", "here holds a run already: give --run-dir another folder, or leave it out.\n")


def test_a_folder_that_could_not_hold_a_run_can_once_it_can(run, tmp_path, monkeypatch):
    """It kept an empty database, and the same command met a run there."""
    with monkeypatch.context() as patch:
        patch.setattr("truestep.store.rundb.SCHEMA", "NOT THAT;")  # fails behind the opening, as on a full disk
        status, _, err = run("train", "linreg", "--run-dir", "full", *QUICK)
    assert (status, err.startswith("full cannot hold a run: ")) == (2, True)
    assert not (tmp_path / "full").exists()
    assert run("train", "linreg", "--run-dir", "full", *QUICK)[0] == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_behind_stdout_is_one_sentence(run, monkeypatch, capsys):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert main(["runs", "--json"]) == 3
        monkeypatch.undo()
        with suppress(OSError):
            full.close()
    assert (
        capsys.readouterr().err == "stdout cannot be written: no space left on device; free some space on that disk.\n"
    )


def test_a_mistake_is_one_object_too_where_json_is_asked_for(run):
    status, out, err = run("train", "lenet", "--json")
    assert status == 2
    assert json.loads(out) == {"error": err.rstrip("\n")}


def test_a_process_without_its_group_is_told_how_to_start(run, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    status, _, err = run("train", "linreg")
    assert status == 2
    assert err.startswith("WORLD_SIZE is set, but no group can be joined (")
    assert err.endswith("): start it by torchrun.\n")
