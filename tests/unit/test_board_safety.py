"""The board lets nothing out that is not a run, nobody in who is not of this machine, and no damage take it down."""

import os
import re
import sys

import pytest

pytest.importorskip("starlette", reason="the board needs truestep[board]")
pytest.importorskip("uvicorn", reason="the board needs truestep[board]")

from truestep.store.runs import DATABASE
from unit.board_cases import SCRIPT, make_run, served


@pytest.fixture
def root(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def ask(root):
    with served(root) as asked:
        yield asked


def test_names_settings_and_events_are_text_and_never_markup(root, ask):
    name = "a <b>&\"' " + SCRIPT.replace("/", "-")
    make_run(root, name, setting=SCRIPT, end=f"failed: {SCRIPT}")
    address = "/runs/" + "".join(f"%{byte:02x}" for byte in name.encode())
    for page in (ask.page("/"), ask.page(address), ask.page(f"/compare?runs={address[6:]}")):
        assert "<script>" not in page
        assert "<b>&" not in page
        assert (
            name.replace("&", "&amp;")
            .replace("<", "&lt;")
            .replace(">", "&gt;")
            .replace('"', "&quot;")
            .replace("'", "&#x27;")
            in page
        )
    assert ask.json(f"/api{address}")["name"] == name
    assert f"no run {SCRIPT}".replace("<", "&lt;").replace(">", "&gt;").replace("/", "") not in ask("/runs/%3Cb%3E")[2]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the name of a folder is text")
def test_a_folder_whose_name_is_no_text_takes_nothing_down(root, ask):
    make_run(root, "good")
    make_run(root, os.fsdecode(b"caf\xe9"))
    assert '<a href="/runs/caf%E9">caf\\udce9</a>' in ask.page("/")
    assert [run["name"] for run in ask.json("/api/runs")["runs"]] == ["caf\udce9", "good"]
    assert ask("/runs/caf%E9")[0] == 404


def test_only_this_machine_by_its_own_name_is_answered(root, ask):
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost:1:2", "[::1]:80"):
        status, _, text = ask("/", host=host)
        assert (status, text) == (403, "the board answers only to 127.0.0.1 and localhost.\n"), host
    for host in ("localhost", "LOCALHOST:9000", "127.0.0.1:1"):
        assert ask("/", host=host)[0] == 200
    assert ask("/", method="POST")[0] == 405


def test_every_answer_forbids_what_comes_from_elsewhere(root, ask):
    make_run(root)
    for path in ("/", "/runs/digits", "/api/runs/digits", "/static/chart.js", "/nothing", "/runs/none", "/compare"):
        _, headers, text = ask(path)
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; ")
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
        assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//|@import|url\(""", text)
        assert not re.search(r"<(?:script|style)[^>]*>[^<]|<[a-z]+[^>]* (?:style|on\w+)=", text) or path.endswith(".js")


OUTSIDE = [
    "/runs/..", "/runs/%2e%2e", "/runs/..%2fsecret", "/runs/secret", "/api/runs/..%2fsecret", "/static/..%2fapp.py",
    "/static/%2fetc%2fpasswd", "/studies/..%2fsecret", "/runs/digits/..%2f..%2fsecret", "/runs/%00", "/runs/.hidden",
]  # fmt: skip


def test_no_address_leaves_the_root(root, ask):
    make_run(root)
    make_run(root.parent, "secret")
    make_run(root, ".hidden")
    for path in OUTSIDE:
        status, _, text = ask(path)
        assert (status, "a note" in text) == (404, False), path


def test_damage_is_a_sentence_and_the_others_are_shown(root, ask):
    make_run(root, "good")
    for name, damage in (("text", b"no database " * 99), ("empty", b""), ("half", None)):
        folder, _ = make_run(root, name)
        whole = (folder / DATABASE).read_bytes()
        (folder / DATABASE).write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    (root / "nothing").mkdir()
    (root / "<b>").mkdir()
    page = ask.page("/")
    assert "&lt;b&gt; is left out: " in page
    assert "<b>" not in page
    assert "/runs/good" in page
    for name in ("text", "empty", "half", "nothing"):
        assert f"{name} is left out: " in page
        for path in (f"/runs/{name}", f"/api/runs/{name}", f"/runs/{name}/run.json", f"/runs/{name}/epochs.csv"):
            status, _, text = ask(path)
            assert status == 404
            assert "Traceback" not in text
    assert "good" in ask.page("/compare?runs=good,text")


def test_odd_records_never_take_the_list_down(root, ask):
    make_run(root, "good")
    _, database = make_run(root, "odd", end="")
    database.epoch(1, {"epoch": "one", "train_loss": 10**400, "valid_loss": True, "valid_accuracy": "high"})
    database.epoch(2, {"valid_loss": [1], "lr": {"a": 1}})
    database.config({"epochs": "many", "nested": {"a": [1, {"b": None}]}})
    database.close()
    _, database = make_run(root, "beyond", end="")
    database.epoch(1, {"epoch": 1, "valid_loss": 10**400})
    database.close()
    assert "/runs/good" in (page := ask.page("/"))
    assert "/runs/odd" in page
    assert "beyond is left out: int too large to convert to float" in page
    assert "many" in ask.page("/runs/odd")
    assert "curves" in ask.json("/api/runs/odd")


def test_what_cannot_be_shown_is_a_sentence_too(root, ask, monkeypatch):
    def fails(*_):
        raise OverflowError("too large")

    make_run(root)
    for place in ("pages.run_page", "app.run_facts"):
        monkeypatch.setattr(f"truestep.board.{place}", fails)
    for path in ("/runs/digits", "/api/runs/digits"):
        status, _, text = ask(path)
        assert status == 404
        assert "What is recorded here cannot be shown (OverflowError: too large)." in text


def test_a_root_that_is_a_file_is_a_sentence(root, ask):
    root.write_text("x")
    for path in ("/", "/api/runs", "/runs/x", "/compare?runs=x"):
        assert "cannot be listed (Not a directory)" in ask(path)[2]


def test_looking_leaves_a_run_folder_as_it_was(root, ask):
    folder, _ = make_run(root)

    def seen():
        return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}

    before = seen(), os.stat(folder).st_mtime_ns
    for path in ("/", "/runs/digits", "/api/runs/digits", "/runs/digits/run.json", "/runs/digits/steps.csv"):
        ask.page(path)
    assert (seen(), os.stat(folder).st_mtime_ns) == before
