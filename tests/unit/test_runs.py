"""Run folders never collide, and a list of runs tells the truth about each of them."""

import math
import os
import re
import subprocess
import sys

import pytest

from truestep.core.errors import DataError
from truestep.store.rundb import RunDB
from truestep.store.runs import DATABASE, list_runs, new_run_folder, runs_root


def test_a_run_folder_is_named_after_its_recipe_and_its_time(tmp_path):
    folder = new_run_folder(tmp_path / "runs", "lenet5")
    assert folder.parent == tmp_path / "runs"
    assert re.fullmatch(r"lenet5-\d{8}-\d{6}", folder.name)
    assert folder.is_dir()


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", "..", ".hidden", "with space\n", "ü" * 300, "-rf", "a\0b"])
def test_no_name_leaves_the_root(tmp_path, name):
    folder = new_run_folder(tmp_path, name)
    assert folder.parent == tmp_path
    assert re.fullmatch(r"[\w][\w.-]*-\d{8}-\d{6}", folder.name)


def test_processes_that_start_in_the_same_second_get_folders_of_their_own(tmp_path):
    program = (
        "import sys, time; from truestep.store.runs import new_run_folder; sys.stdin.readline()\n"
        "for _ in range(8): print(new_run_folder(sys.argv[1], 'same').name)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    names = [name for process in started for name in process.communicate()[0].split()]
    assert len(names) == len(set(names)) == 16
    assert len(list(tmp_path.iterdir())) == 16


def test_the_root_is_the_argument_or_the_variable_or_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUESTEP_RUNS", raising=False)
    assert str(runs_root()) == "runs"
    assert new_run_folder(None, "x").parent.resolve() == tmp_path / "runs"
    monkeypatch.setenv("TRUESTEP_RUNS", str(tmp_path / "elsewhere"))
    assert new_run_folder(None, "x").parent == tmp_path / "elsewhere"
    assert new_run_folder(tmp_path / "given", "x").parent == tmp_path / "given"


def make_run(root, name, losses=(), config=None, end="finished"):
    folder = new_run_folder(root, name)
    db = RunDB(folder / DATABASE)
    db.config(config or {})
    for number, loss in enumerate(losses, 1):
        db.epoch(number, {"epoch": number, "valid_loss": loss})
    if end:
        db.status(end)
    return folder, db


def test_a_list_tells_what_each_run_was_and_how_it_ended(tmp_path):
    folder, db = make_run(
        tmp_path, "lenet5", [0.5, 0.25, math.nan, math.inf, 0.375], {"recipe": "lenet5", "data": "digits"}
    )
    db.close()
    (run,) = list_runs(tmp_path)
    assert (run.folder, run.name, run.status) == (folder, folder.name, "finished")
    assert (run.epochs, run.best_valid_loss, run.last) == (5, 0.25, {"epoch": 5, "valid_loss": 0.375})
    assert (run.recipe, run.data) == ("lenet5", "digits")
    assert run.seconds > 0


def test_a_run_without_a_finite_loss_or_any_epoch_is_listed(tmp_path):
    for losses in ([], [math.nan], [None]):
        make_run(tmp_path, "x", losses)[1].close()
    assert [(run.epochs, run.best_valid_loss) for run in list_runs(tmp_path)] == [(1, None), (1, None), (0, None)]
    assert list_runs(tmp_path)[-1].last == {}


def test_the_newest_run_is_first(tmp_path):
    folders = []
    for name in ("b", "c", "a"):
        folder, db = make_run(tmp_path, name)
        db.close()
        folders.append(folder)
    assert [run.folder for run in list_runs(tmp_path)] == folders[::-1]


def test_a_run_is_running_only_while_its_process_lives(tmp_path):
    _, db = make_run(tmp_path, "x", [0.5], end=None)
    assert [run.status for run in list_runs(tmp_path)] == ["running"]
    assert [run.status for run in list_runs(tmp_path)] == ["running"]  # looking does not end it
    db.close()
    assert [run.status for run in list_runs(tmp_path)] == ["interrupted"]


def test_two_who_look_do_not_take_one_another_for_the_run(tmp_path):
    fcntl = pytest.importorskip("fcntl", reason="locks of folders are a thing of Unix")
    folder, db = make_run(tmp_path, "x", end=None)
    db.close()
    other = os.open(folder, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_SH)
    assert [run.status for run in list_runs(tmp_path)] == ["interrupted"]
    os.close(other)


def test_folders_that_are_no_runs_or_are_damaged_are_named_and_skipped(tmp_path):
    make_run(tmp_path, "good", [0.5])[1].close()
    (tmp_path / "empty").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "file.txt").write_text("x")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / DATABASE).write_text("not a database " * 100)
    said = []
    assert [run.name[:4] for run in list_runs(tmp_path, said.append)] == ["good"]
    assert [sentence.split(":")[0] for sentence in said] == ["skipped empty", "skipped text"]
    assert not any("\n" in sentence for sentence in said)


def test_notes_go_to_stderr_when_nobody_takes_them(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    list_runs(tmp_path)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("skipped empty: there is no run at ")


def test_no_folder_is_no_runs_and_a_file_is_one_sentence(tmp_path):
    assert list_runs(tmp_path / "absent") == []
    (tmp_path / "file").write_text("x")
    with pytest.raises(
        DataError, match=r"file cannot be listed \(Not a directory\): give the folder that holds the runs"
    ):
        list_runs(tmp_path / "file")
