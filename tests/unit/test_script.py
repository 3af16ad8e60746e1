"""A script that we start finds the process as python would have given it, and its options are told from ours."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import truestep as ts
from truestep.cli.explain import TAKES
from truestep.cli.script import Program, cut, start

REPORTS = """
    import json, multiprocessing, os, pickle, sys

    class Thing:
        pass

    def double(n):
        return 2 * n

    if __name__ == "__main__":
        import beside
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            doubled = pool.map(double, [1, 2])
        print(json.dumps({
            "argv": sys.argv, "path": os.path.realpath(sys.path[0]), "file": __file__, "name": __name__,
            "cwd": os.getcwd(), "spec": repr(__spec__), "thing": type(pickle.loads(pickle.dumps(Thing()))).__module__,
            "doubled": doubled, "main": sys.modules["__main__"].__dict__ is globals(), "beside": beside.here,
        }))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "beside.py").write_text("here = 1\n", encoding="utf-8")
    return tmp_path


def written(path: Path, text: str) -> str:
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return str(path)


def test_a_script_cannot_tell_that_python_did_not_start_it(folder):
    written(folder / "sub" / "s.py", REPORTS)
    ours = "from truestep.cli.script import *; raise SystemExit(start(Program('sub/s.py', ('--a', '1'))))"
    told = [
        json.loads(subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, check=True, text=True).stdout)
        for words in (["sub/s.py", "--a", "1"], ["-c", ours])
    ]
    assert told[0] == told[1]
    assert told[0]["doubled"] == [2, 4]


def test_a_module_is_started_as_python_m_would(folder, capfd):
    written(folder / "sub" / "__init__.py", "")
    written(folder / "sub" / "__main__.py", "import sys\nprint(__name__, sys.argv[1:], __spec__.name)\n")
    assert start(Program("sub", ("x",), module=True)) == 0
    assert capfd.readouterr().out == "__main__ ['x'] sub.__main__\n"


@pytest.mark.parametrize(
    "body, status, said",
    [
        ("pass", 0, ""),
        ("import sys; sys.exit()", 0, ""),
        ("raise SystemExit(7)", 7, ""),
        ("raise SystemExit('enough')", 1, "enough\n"),
        ("def f():\n    raise OSError('no')\nf()", 1, 'Traceback (most recent call last):\n  File "s.py", line 3, in'),
        ("x = (", 1, '  File "s.py", line 1\n    x = (\n        ^\nSyntaxError'),
    ],
)
def test_a_script_ends_as_it_would_alone(folder, capfd, body, status, said):
    written(folder / "s.py", body)
    alone = subprocess.run([sys.executable, "s.py"], capture_output=True, text=True, check=False)
    assert start(Program("s.py")) == alone.returncode == status
    assert capfd.readouterr().err.startswith(said)
    assert alone.stderr.startswith(said) or status == 1  # python says the whole path of the file


def test_the_process_is_as_before_when_a_script_has_ended(folder):
    written(folder / "s.py", "import sys\nsys.argv.append('x')\nsys.path.insert(0, 'nowhere')\n1 / 0")
    before = list(sys.argv), list(sys.path), sys.modules["__main__"]
    start(Program("s.py"))
    assert (list(sys.argv), list(sys.path), sys.modules["__main__"]) == before


@pytest.mark.parametrize(
    "program, sentence",
    [
        (Program("gone.py"), "there is no script gone.py: give a file of Python, and then its own arguments."),
        (Program("sub"), "sub is a folder: give the script in it that is to be run."),
        (Program("no.such", module=True), "there is no module no.such here: give one as python -m would find it."),
    ],
)
def test_what_cannot_be_started_is_said_in_a_sentence(folder, program, sentence):
    with pytest.raises(ts.ConfigError) as caught:
        start(program)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    "line, ours, own",
    [
        ("explain s.py --step 3 --lr 1", "explain --step 3", "s.py --lr 1"),
        ("explain --step 3 s.py --lr 1 --step 4", "explain --step 3", "s.py --lr 1 --step 4"),
        ("explain s.py --json -- --json", "explain --json", "s.py --json"),
        ("explain s.py data --json", "explain", "s.py data --json"),
        ("explain --step=3 -m a.b --html p.html c", "explain --step=3 --html p.html", "-m a.b c"),
        ("explain lenet5 --form classic --step 3", "explain --step 3", "lenet5 --form classic"),
        ("explain --stepp 3 s.py", "explain --stepp", "3 s.py"),
        ("explain --help", "explain --help", ""),
        ("explain s.py --step", "explain --step", "s.py"),
        ("explain s.py -- --step 3 x", "explain", "s.py --step 3 x"),
        ("explain --step 2 s.py --step 3", "explain --step 2", "s.py --step 3"),
        ("explain --step=2 -m pkg.train --step=3 a", "explain --step=2", "-m pkg.train --step=3 a"),
    ],
)
def test_our_options_end_where_the_program_s_own_begin(line, ours, own):
    assert cut(line.split(), TAKES, lambda name: name == "lenet5") == (ours.split(), own.split())
