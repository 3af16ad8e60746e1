"""`truestep explain` and `truestep prove`: scripts, recipes and runs; what they print, and how they end."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import truestep as ts
from truestep.cli import ledgers
from truestep.explain.claims import Claim, Proof
from truestep.store.rundb import RunDB
from truestep.store.runs import DATABASE

pytestmark = pytest.mark.usefixtures("elsewhere")

TRAIN = """
    import sys
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    print("begins", *sys.argv[1:])
    try:
        for number in range(1, 9):
            x = torch.randn(4, 3)
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), x.sum(1, keepdim=True))
            loss.backward()
            optimizer.step()
            print("update", number)
    except Exception:
        print("never here")
    finally:
        print("in good order")
"""
BY_HAND = """
    import torch
    w = torch.zeros(3, requires_grad=True)
    for _ in range(5):
        (w - 1).square().sum().backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
            w.grad.zero_()
"""


@pytest.fixture
def script(tmp_path):
    def write(text: str = TRAIN, name: str = "train.py") -> Path:
        (tmp_path / name).write_text(textwrap.dedent(text), encoding="utf-8")
        return tmp_path / name

    return write


def test_a_script_is_stopped_at_its_update_and_the_ledger_follows_its_own_output(run, script):
    script()
    status, out, err = run("explain", "train.py", "--step", "3", "--epochs", "2")
    assert (status, err) == (0, "")
    own, _, ledger = out.partition("in good order\n")
    assert own == "begins --epochs 2\nupdate 1\nupdate 2\n"
    assert ledger.startswith("step           update 3, by SGD\n")
    for words in ("What moved the weights", "Where the momentum comes from", "momentum made", "weight", "bias"):
        assert words in ledger


def test_json_is_one_object_after_the_output_of_the_script(script):
    script()
    command = [sys.executable, "-m", "truestep", "explain", "train.py", "--json", "--step", "2"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    *own, told = ended.stdout.splitlines()
    assert own == ["begins", "update 1", "in good order"]
    found = json.loads(told)
    assert (found["program"], found["step"], found["update"]) == ("train.py", 2, "update 2, by SGD")
    assert sum(cause["share"] for cause in found["causes"]) == pytest.approx(1)
    assert [(echo["back"], echo["share"]) for echo in found["momentum"]] == [(1, pytest.approx(1))]
    for account in found["parameters"]:
        added = sum(entry["sum"] for entry in account["entries"].values())
        assert added == pytest.approx(account["sum"], rel=1e-12)


def test_a_page_and_a_figure_are_written_where_they_are_asked_for(run, script, tmp_path):
    script()
    status, out, _ = run("explain", "train.py", "--html", "page.html", "--figure", "figures")
    assert status == 0
    assert "<h2>One step, explained</h2>" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"ledger.png", "ledger.svg"}
    assert [line.split()[0] for line in out.splitlines()[-3:]] == ["page", "figure", "figure"]


@pytest.mark.parametrize(
    "text, status, sentence",
    [
        (TRAIN, 2, "train.py took only 8 updates: give --step 8 or less.\n"),
        ("print(1)", 2, "train.py trained nothing: it ended before any optimizer took a step.\n"),
        ("import sys; sys.exit(0)", 2, "train.py trained nothing: it ended before any optimizer took a step.\n"),
        ("import sys; sys.exit(4)", 3, "train.py left with status 4 after 0 updates: update 9 never came.\n"),
        (BY_HAND, 2, "train.py went backward 5 times and no optimizer of torch took a step: it moves its"),
        ("1 / 0", 3, 'Traceback (most recent call last):\n  File "train.py", line 1, in <module>\n    1 / 0\n'),
        ("raise KeyboardInterrupt", 130, "interrupted.\n"),
    ],
)
def test_a_script_that_never_comes_to_its_update_is_said_in_a_sentence(run, script, text, status, sentence):
    script(text)
    ended, _, err = run("explain", "train.py", "--step", "9")
    assert ended == status
    assert err.startswith(sentence)
    assert "truestep/cli" not in err


def test_a_module_is_explained_as_python_m_runs_it(run, script, tmp_path):
    (tmp_path / "pack").mkdir()
    script(TRAIN, "pack/__main__.py")
    status, out, _ = run("explain", "--step", "2", "-m", "pack", "word")
    assert status == 0
    assert out.startswith("begins word\nupdate 1\nin good order\nstep           update 2, by SGD\n")


@pytest.mark.parametrize("recipe", ts.recipes.names())
def test_every_recipe_is_explained_with_its_own_options(run, recipe):
    form = ts.recipes.load(recipe).FORMS[-1]
    status, out, _ = run("explain", recipe, "--form", form, "--step", "2", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["samples"] > 0
    assert len(found["hardest"]) == min(found["samples"], ledgers.SAMPLES)


def test_a_run_is_explained_by_taking_its_recipe_again_as_it_was(run):
    asked = ["--form", "built-in", "--lr", "0.05", "--batch-size", "20"]
    run("train", "linreg", *asked, "--run-dir", "here", "--no-figure", "--clip-norm", "2")
    explained = [json.loads(run("explain", *of, "--step", "4", "--json")[1]) for of in (
        ["here"], ["linreg", *asked, "--clip-norm", "2"], ["linreg", *asked, "--lr", "0.06", "--clip-norm", "2"]
    )]  # fmt: skip
    same, own, other = ({**found, "program": ""} for found in explained)
    assert same == own
    assert same["clipped_norm"] == pytest.approx(2, rel=1e-5)
    assert same != other


def test_a_run_that_no_recipe_made_cannot_be_taken_again(run, script):
    x = "torch.ones(4, 2), torch.ones(4, 1)"
    script(f"import torch, truestep as ts\nm = torch.nn.Linear(2, 1)\nts.fit(m, ({x}), torch.nn.MSELoss(), "
           "torch.optim.SGD(m.parameters()), epochs=1, run_dir='own', progress=False)")  # fmt: skip
    subprocess.run([sys.executable, "train.py"], check=True)
    status, _, err = run("explain", "own")
    assert status == 2
    assert err == "own holds a run that truestep train did not start: give the script that made it instead.\n"


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["explain"], "name a script, a recipe or a run, as in truestep explain train.py --step 10."),
        (["explain", "gone.py"], "there is no script gone.py: give a file of Python, and then its own arguments."),
        (["explain", "lenet"], "there is no script, run or recipe 'lenet'; did you mean lenet5? it is one of linreg,"),
        (["explain", "linreg", "--lrr", "1"], "truestep train linreg does not know --lrr; did you mean --lr?"),
        (["explain", "linreg", "--step", "0"], "--step: '0' is not a whole number of at least 1; see truestep explain"),
        (["explain", "linreg", "--step", "301"], "linreg took only 300 updates: give --step 300 or less."),
        (["prove"], "name a recipe, as in truestep prove lenet5; truestep train --list shows them."),
        (["prove", "lennet5"], "there is no recipe 'lennet5'; did you mean lenet5?"),
    ],
)
def test_a_mistake_gets_one_sentence(run, words, sentence):
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert err.startswith(sentence)
    assert err.count("\n") == 1
    told = json.loads(run(*words, "--json")[1])
    assert told == {"error": err.strip()}


def test_the_json_option_of_a_script_is_its_own(run, script):
    script("import sys\nprint(sys.argv[1:])\n")
    status, out, _ = run("explain", "train.py", "--", "--json")
    assert (status, out) == (2, "['--json']\n")


@pytest.mark.parametrize("form", ["by-hand", "built-in"])
def test_a_recipe_is_proved_on_its_own_model_and_data(run, form):
    status, out, _ = run("prove", "linreg", "--form", form, "--step", "3")
    assert status == 0
    assert out.splitlines()[-1].startswith("This step is exact on this model and data: all ")
    found = json.loads(run("prove", "linreg", "--form", form, "--json")[1])
    assert found["exact"] is True
    assert {claim["verdict"] for claim in found["claims"]} == {"exact"}


def test_a_claim_that_is_off_is_a_finding(run, monkeypatch):
    off = Proof((Claim("one is two", "off by 1.0", 1.0, 1.0, "It is not."),))
    monkeypatch.setattr(ts, "prove", lambda *batch: off, raising=False)
    status, out, _ = run("prove", "linreg")
    assert status == 1
    assert "This step is not exact: 1 of 1 claims are off." in out


def test_the_data_of_a_run_are_those_that_it_was_trained_on(run, tmp_path):
    (tmp_path / "here").mkdir()
    with RunDB(tmp_path / "here" / DATABASE, print) as database:
        database.config({"recipe": "softmax", "form": "built-in", "source": "nowhere", "data": "Something"})
    status, _, err = run("explain", "here")
    assert status == 2
    assert "nowhere" in err
