"""The board shows the runs as they are, to this machine alone, and changes nothing."""

import math
import re
import shutil

import pytest

pytest.importorskip("starlette", reason="the board needs truestep[board]")
pytest.importorskip("uvicorn", reason="the board needs truestep[board]")

from truestep.store import alive
from truestep.store.rundb import RunDB
from truestep.store.runs import DATABASE
from unit.board_cases import make_run, served


@pytest.fixture
def root(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def ask(root):
    with served(root) as asked:
        yield asked


def test_the_list_has_every_run_with_its_figures_and_a_picture(root, ask):
    make_run(root, "older")
    make_run(root, "newer", end="failed: ValueError: no data")
    page = ask.page("/")
    assert page.index("/runs/newer") < page.index("/runs/older")
    row = page[page.index('<tr data-key="older">') :].partition("</tr>")[0]
    assert all(words in row for words in ("finished", ">2 of 5<", ">1<", "50.00 %", 'class="spark"'))
    assert "train loss from 1 to 0.5, valid loss from 2 to 1" in row
    assert "failed: ValueError: no data" in page
    names = [(run["name"], run["epochs"], run["best_valid_loss"]) for run in ask.json("/api/runs")["runs"]]
    assert names == [("newer", 2, 1.0), ("older", 2, 1.0)]


def test_an_empty_root_is_a_sentence_and_fills_while_one_looks(root, ask):
    assert f"There are no runs in {root} yet: <code>truestep train lenet5</code> makes one." in ask.page("/")
    make_run(root)
    assert "/runs/digits" in ask.page("/")


def test_a_run_is_running_until_its_process_is_gone(root, ask):
    _, database = make_run(root, end="")
    assert f"1 run in {root}, 1 of them running." in ask.page("/")
    assert ask.json("/api/runs/digits")["status"] == "running"
    alive.release(database._held)  # without a word, as when it is killed: the file stays as it is
    database._held = None
    assert "interrupted" in ask.page("/")
    assert ask.json("/api/runs/digits")["status"] == "interrupted"
    database.close()


def test_a_run_that_goes_on_is_read_again(root, ask):
    folder, _ = make_run(root)
    assert ">2 of 5<" in ask.page("/")
    with RunDB(folder / DATABASE) as database:
        database.epoch(3, {"epoch": 3})
    assert ">3 of 5<" in ask.page("/")


def test_the_page_of_a_run_tells_settings_events_epochs_and_files(root, ask):
    make_run(root, batch_size=32)
    page = ask.page("/runs/digits")
    for words in ("batch_size", ">32<", "a note with", "★", "1 event, the last first", "steps.csv", "run.json"):
        assert words in page
    assert '<script type="module" src="/static/run.js"></script>' in page


def test_the_best_epoch_is_one_whose_loss_is_a_number_and_a_long_table_is_thinned_out(root, ask):
    _, database = make_run(root, "long", epochs=0, end="")
    for epoch in range(1, 201):
        database.epoch(epoch, {"epoch": epoch, "valid_loss": {3: math.nan, 7: -math.inf, 101: 0.5}.get(epoch, 1.0)})
    database.close()
    make_run(root, "none", epochs=0, end="")[1].close()
    page = ask.page("/runs/long")
    assert "200 epochs, the last first; ★ has the least valid loss; 1 in 4, the first, the last and ★ are shown" in page
    shown = [int(epoch) for epoch in re.findall(r'data-head="epoch">(\d+)', page)]
    assert shown == [epoch for epoch in range(200, 0, -1) if epoch % 4 == 0 or epoch in (1, 101)]
    assert '>101 <b title="least valid loss">★</b><' in page
    assert "★" not in ask.page("/runs/none")
    assert [ask.json(f"/api/runs/{name}")["best"] for name in ("long", "none")] == [101, None]


def test_what_is_new_is_told_and_nothing_twice(root, ask):
    _, database = make_run(root, end="")
    first = ask.json("/api/runs/digits")
    assert first["anew"]
    loss = next(curve for curve in first["curves"] if (curve["by"], curve["name"]) == ("step", "train_loss"))
    assert (loss["x"], loss["y"]) == ([1, 2, 3, 4], [1, None, 0.3333333, 0.25])
    assert (loss["figure"], loss["side"]) == ("loss", "train")
    nothing = ask.json(f"/api/runs/digits?since={first['mark']}")
    assert (nothing["anew"], nothing["curves"], nothing["mark"]) == (False, [], first["mark"])
    database.scalars([(5, "train_loss", 0.2)])
    database.epoch(3, {"epoch": 3, "valid_loss": 0.5})
    more = ask.json(f"/api/runs/digits?since={first['mark']}")
    assert [(curve["name"], curve["by"], curve["x"], curve["y"]) for curve in more["curves"]] == [
        ("train_loss", "step", [5], [0.2]),
        ("valid_loss", "epoch", [3], [0.5]),
    ]
    assert more["state"] != first["state"]
    database.close()


def test_after_a_resume_all_is_told_again_as_it_was_recorded_last(root, ask):
    _, database = make_run(root, end="")
    mark = ask.json("/api/runs/digits")["mark"]
    database.scalars([(3, "train_loss", 7.0)])
    database.flush()
    told = ask.json(f"/api/runs/digits?since={mark}")
    assert told["anew"]
    (loss,) = [curve for curve in told["curves"] if curve["by"] == "step"]
    assert (loss["x"], loss["y"]) == ([1, 2, 3, 4], [1, None, 7, 0.25])
    database.epoch(2, {"epoch": 2, "valid_loss": 9.0})
    told = ask.json(f"/api/runs/digits?since={told['mark']}")
    assert told["anew"]
    assert [curve["y"] for curve in told["curves"] if curve["name"] == "valid_loss"] == [[2, 9]]
    database.close()


def test_another_run_under_the_same_name_is_told_whole(root, ask):
    make_run(root)
    mark = ask.json("/api/runs/digits")["mark"]
    shutil.rmtree(root / "digits")
    gone = ask.json("/api/runs/digits")
    assert gone == {"error": f"there is no run digits in {root}: it was moved or deleted, or never there."}
    make_run(root, steps=9)
    told = ask.json(f"/api/runs/digits?since={mark}")
    assert (told["anew"], told["step"]) == (True, 9)


def test_a_mark_that_means_nothing_gets_all(root, ask):
    make_run(root)
    key = ask.json("/api/runs/digits")["mark"].partition(".")[0]
    for mark in ("", "x", "..", "1.2", "a.b.c", "\0", "💥", key, f"{key}.", f"{key}.x.1", f"{key}.--1.2", f"{key}.².1"):
        assert ask.json("/api/runs/digits?since=" + "".join(f"%{byte:02x}" for byte in mark.encode()))["anew"], mark


def test_a_part_of_a_long_run_is_told_as_finely_as_the_whole(root, ask):
    make_run(root, steps=20_000)
    told = ask.json("/api/runs/digits?by=step&from=5000.5&to=5100")
    (loss,) = told["curves"]
    assert (loss["x"], loss["trend"]) == (list(range(5000, 5101)), None)
    assert [curve["name"] for curve in ask.json("/api/runs/digits?by=epoch&from=1&to=2")["curves"]] == [
        "train_loss",
        "valid_loss",
        "valid_accuracy",
    ]
    (loss,) = ask.json("/api/runs/digits?by=step&from=-9&to=90000")["curves"]
    assert (loss["x"][0], loss["x"][-1], len(loss["trend"]["x"])) == (1, 20_000, 100)
    for query in ("from=x&to=1", "from=1", "from=nan&to=inf", "from=1e5&to=2", "from=1&to=" + "9" * 400):
        status, _, text = ask(f"/api/runs/digits?by=step&{query}")
        assert status == 404
        assert "from and to are numbers in plain digits, and not '" in text


def test_several_runs_are_compared_with_the_settings_in_which_they_differ(root, ask):
    make_run(root, "a", lr=0.125, seed=3)
    make_run(root, "b,c", lr=0.25, seed=3)
    for query in ("runs=a&runs=b%2Cc", "runs=a,b%2Cc&runs=b%2Cc", "runs=a&runs=b%2Cc&runs=gone"):
        page = ask.page(f"/compare?{query}")
        assert '<li data-run="a"></li>' in page
        assert '<li data-run="b,c"></li>' in page
        assert ">0.125<" in page
        assert ">seed<" not in page
    assert "there is no run gone in " in page
    assert "No run was chosen: mark some in the list." in ask.page("/compare")


def test_files_are_those_of_the_export(root, ask):
    from truestep.store.export import export_run

    folder, _ = make_run(root)
    for file in export_run(folder, root.parent / "out", ["csv", "json"]):
        assert ask.page(f"/runs/digits/{file.name}") == file.read_text()
    status, _, text = ask("/runs/digits/best.safetensors")
    assert status == 404
    assert "there is no file best.safetensors: there are epochs.csv, steps.csv, run.json." in text


def test_a_study_is_listed_and_its_page_runs_as_a_stranger(root, ask):
    for name in ("done", "begun"):
        (root / name).mkdir(parents=True)
        (root / name / "study.json").write_text('{"study": "x", "variants": 8}')
    (root / "done" / "study.html").write_text("<script>1</script>")
    (root / "begun" / "chunk-0.safetensors").write_bytes(b"")
    page = ask.page("/")
    assert "/studies/done" in page
    assert "1 part trained, no page yet" in page
    status, headers, text = ask("/studies/done")
    assert (status, text) == (200, "<script>1</script>")
    assert headers["content-security-policy"].startswith("sandbox allow-scripts; default-src 'none'; ")
    assert "the study begun has no page yet" in ask("/studies/begun")[2]
    (root / "done" / "study.html").unlink()
    (root.parent / "secret").write_text("secret")
    (root / "done" / "study.html").symlink_to(root.parent / "secret")
    assert ask("/studies/done")[0] == 404
