"""`truestep board`: one address on stdout, one sentence for every mistake, and an end in good order."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from importlib import import_module

import pytest

pytest.importorskip("starlette", reason="the board needs truestep[board]")
pytest.importorskip("uvicorn", reason="the board needs truestep[board]")

from truestep.store.runs import runs_root
from unit.board_cases import make_run

pytestmark = pytest.mark.usefixtures("elsewhere")
PROGRAM = "from truestep.cli.main import main; raise SystemExit(main())"


def test_ctrl_c_ends_it_and_the_address_is_all_that_stdout_has(tmp_path):
    make_run(tmp_path / "runs")
    command = [sys.executable, "-c", PROGRAM, "board", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(address) as answer:
            assert b"/runs/digits" in answer.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == f"the board shows {tmp_path}/runs (1 run now); Ctrl-C ends it.\nthe board is closed.\n"


def test_json_is_one_object(run, monkeypatch, tmp_path):
    monkeypatch.setattr(
        import_module("truestep.board.serve"),
        "make_server",
        lambda root: type("", (), {"run": lambda self, sockets: 0})(),
    )
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    status, out, err = run("board", "--port", "0", "--json", "--open")
    found = json.loads(out)
    assert (status, found["root"]) == (0, str(runs_root()))
    assert found["address"].startswith("http://127.0.0.1:")
    assert err.endswith("(0 runs now); Ctrl-C ends it.\nno browser could be opened: open the address yourself.\n")


def test_a_port_that_is_taken_is_one_sentence(run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, out, err = run("board", "--port", str(port))
    assert (status, out) == (2, "")
    assert err == (
        f"port {port} cannot be had ({os.strerror(errno.EADDRINUSE)}): another board may run there; give --port "
        "another number, or 0 for any that is free.\n"
    )
    assert run("board", "--port", "99999")[2].startswith("port 99999 cannot be had (")


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_a_missing_extra_is_one_sentence_with_the_mend(run, monkeypatch, missing):
    for name in [
        name for name in sys.modules if name.partition(".")[0] == missing or name.startswith("truestep.board")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    assert run("board") == (2, "", f"the board needs {missing}: pip install 'truestep[board]'.\n")
