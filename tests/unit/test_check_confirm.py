"""`truestep check --confirm`: what reruns say of findings, and that nothing is lost where they fail.

The reruns of these tests are made inside this process, but for those that are about processes.
"""

import io
import json
import os
import sys
from contextlib import contextmanager

import pytest
import torch

from truestep.check.confirm import Claim, Ground, Offer, Rerun, settled
from truestep.check.finding import Finding, Rule
from truestep.check.mends import Mend
from truestep.check.site import Site
from truestep.cli import again, confirm
from truestep.cli.main import main

SCRIPT = """
import sys
import torch
SEED
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x, y = torch.randn(20, 3), torch.randn(20, 1)
for step in range(10):
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
    EXTRA
"""
SEEDED = SCRIPT.replace("SEED", "torch.manual_seed(3)")
CLIPPED = """
import torch
torch.manual_seed(0)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
optimizer.zero_grad()
for step in range(24):
    x = torch.randn(20, 3)
    loss = torch.nn.functional.mse_loss(model(x), 50 + torch.ones(20, 1))
    loss.backward()
    if step % 4 == 3:
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()
"""


@pytest.fixture
def within(monkeypatch):
    """Reruns in this process."""
    kept = sys.excepthook

    def start(runs, folder):
        again.main(folder)
        sys.excepthook = kept
        return 0

    monkeypatch.setattr(confirm._Runs, "_start", start)


@pytest.fixture
def check(tmp_path, capsys, monkeypatch):
    """Check a script with --confirm; gives the status, the JSON object, and stderr."""
    monkeypatch.chdir(tmp_path)

    def start(script, *words, confirm=True):
        (tmp_path / "train.py").write_text(script.replace("EXTRA", ""))
        status = main(["check", "--json", *(["--confirm"] * confirm), "train.py", *words])
        out, err = capsys.readouterr()
        return status, json.loads(out.splitlines()[-1]), err

    return start


def words_of(told):
    (finding,) = told["findings"]
    return finding["confirmation"]["words"]


def test_a_mend_is_tried_and_both_numbers_are_told(within, check):
    status, told, err = check(SEEDED)
    (finding,) = told["findings"]
    confirmation = finding["confirmation"]
    assert (status, finding["level"], confirmation["verdict"]) == (1, "error", "confirmed")
    gradient, loss = confirmation["measured"]
    assert 0 < gradient["with"] < gradient["without"]
    assert loss["with"] != loss["without"]
    assert f"{gradient['with']:.4g} instead of {gradient['without']:.4g}" in confirmation["words"]
    assert gradient["noise"] == 0
    assert "seed" not in confirmation["words"]
    assert "run 1 of 2, with the gradients cleared" in err
    assert "run 2 of 2, as it is" in err
    assert told["reruns"].startswith("2 more runs of the script, the last one as it is")


def test_text_and_sarif_carry_what_was_confirmed(within, tmp_path, capsys):
    path, sarif = tmp_path / "train.py", tmp_path / "found.sarif"
    path.write_text(SEEDED.replace("EXTRA", ""))
    assert main(["check", "--confirm", "--sarif", str(sarif), str(path)]) == 1
    assert "\n  rerun     confirmed: with the gradients cleared" in capsys.readouterr().out
    (result,) = json.loads(sarif.read_text())["runs"][0]["results"]
    assert result["properties"]["confirmation"]["verdict"] == "confirmed"
    assert "confirmed: with" in result["message"]["text"]


def test_the_numbers_without_the_mend_are_those_of_the_script(within, check):
    """Both by hand: the script's own loss at its end, as it is and with the clearing written in."""
    told = check(SEEDED.replace("EXTRA", "if step == 9: print('at', loss.item())"))[1]
    loss = told["findings"][0]["confirmation"]["measured"][1]

    def by_hand(script):
        names = {}
        exec(script.replace("EXTRA", ""), names)
        return names["loss"].item()

    assert loss["without"] == pytest.approx(by_hand(SEEDED), rel=1e-6)
    mended = SEEDED.replace("    loss = ", "    optimizer.zero_grad()\n    loss = ")
    assert loss["with"] == pytest.approx(by_hand(mended), rel=1e-6)


def test_a_script_without_findings_is_not_run_again(check, monkeypatch):
    monkeypatch.setattr(confirm._Runs, "_start", lambda *_: pytest.fail("it ran again"))
    status, told, _ = check(SEEDED.replace("EXTRA", "optimizer.zero_grad()"))
    assert (status, told["findings"], told["reruns"]) == (0, [], "")


def test_a_script_that_fails_with_the_mend_keeps_its_finding(within, check):
    status, told, _ = check(SEEDED.replace("EXTRA", "assert step != 3 or model.weight.grad.norm() > 4, 'too small'"))
    assert status == 1
    assert words_of(told).startswith("cannot be tried: with the gradients cleared before")
    assert words_of(told).endswith("the script failed (AssertionError: too small)")


def test_a_script_that_fails_the_second_time_keeps_its_finding(within, check):
    script = SEEDED.replace("import sys", "import os\nos.mkdir('out')")
    status, told, _ = check(script)
    assert status == 1
    assert words_of(told).startswith("cannot be tried: run once more as it is, the script failed (FileExistsError")


def test_a_script_that_fails_at_once_is_not_run_again(check, monkeypatch):
    monkeypatch.setattr(confirm._Runs, "_start", lambda *_: pytest.fail("it ran again"))
    status, told, _ = check(SEEDED.replace("EXTRA", "pass") + "raise SystemExit(7)")
    assert status == 3
    assert words_of(told) == "cannot be tried: the script left with status 7"


def test_an_interrupted_rerun_loses_nothing(check, monkeypatch):
    def interrupted(runs, folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(confirm._Runs, "_start", interrupted)
    status, told, _ = check(SEEDED)
    assert status == 1
    assert words_of(told) == "cannot be tried: the reruns were interrupted"
    assert "may be that of a run with a mend" in told["reruns"]


def test_a_rerun_that_dies_loses_nothing(check, monkeypatch):
    monkeypatch.setattr(confirm._Runs, "_start", lambda runs, folder: -11)
    status, told, _ = check(SEEDED)
    assert status == 1
    assert words_of(told).endswith("ended with status -11 before it could be measured")


def test_a_rerun_that_takes_too_long_is_ended(check, monkeypatch):
    monkeypatch.setattr(confirm, "PATIENCE", 0.1)
    monkeypatch.setattr(confirm, "TIMES", 0.0)
    status, told, _ = check(SEEDED)
    assert status == 1
    assert words_of(told).endswith("was still running after 0 s, and was ended")


def test_ranks_are_not_started_again(check, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "several ranks" in words_of(check(SEEDED)[1])


def test_a_script_without_a_seed_is_given_one_in_both_reruns(within, check):
    torch.manual_seed(5)
    told = check(SCRIPT.replace("SEED", ""))[1]
    assert told["findings"][0]["confirmation"]["verdict"] == "confirmed"
    assert words_of(told).endswith("these runs were given the seed 0)")
    assert told["findings"][0]["confirmation"]["measured"][0]["noise"] == 0
    assert told["reruns"].startswith("3 more runs")


def test_chance_that_no_seed_reaches_is_measured(within, check):
    told = check(SCRIPT.replace("SEED", "torch.seed()"))[1]
    assert told["findings"][0]["confirmation"]["measured"][0]["noise"] > 0
    assert "two runs without the mend differ too" in words_of(told)


def test_a_warning_that_its_mend_refutes_becomes_advice(within, check):
    """Clipped to the same norm, the sum of the gradients and their mean make the same steps."""
    assert check(CLIPPED, confirm=False)[1]["findings"][0]["level"] == "warning"
    status, told, _ = check(CLIPPED)
    (finding,) = told["findings"]
    assert (status, told["clean"], finding["name"], finding["level"]) == (
        0,
        True,
        "accumulation_not_divided",
        "advice",
    )
    assert finding["confirmation"]["verdict"] == "not confirmed"
    assert finding["confirmation"]["level_before"] == "warning"
    assert "It was a warning, and is advice now" in words_of(told)


class Nothing(Mend):
    words = "nothing changed"
    claims = (Claim("loss", "the loss is", "less", "end"),)


RULE = Rule("TS999", "none", "nothing", "error", "updates")


def rerun(*losses, findings=(("none", "a.py", 1),), acted=1):
    series = list(enumerate(losses, 1))
    return Rerun(len(losses), frozenset(findings), {"all": series}, ({"acted": acted, "series": {"loss": series}},))


def settle(mended, without, level="error"):
    finding = Finding(RULE, level, Site("a.py", 1), "m", "e", "w", "f")
    return settled(Offer(finding, Nothing(), {}), 0, mended, Ground(without, None, True))


def test_an_error_that_its_mend_refutes_stays_an_error_and_says_so():
    found = settle(rerun(3.0, 2.0, findings=()), rerun(3.0, 1.0))
    assert found.level == "error"
    assert found.confirmation.words == "not confirmed: with nothing changed, the loss is 2 instead of 1"


@pytest.mark.parametrize(
    "mended, without, verdict",
    [
        (rerun(3.0, 1.0, findings=()), rerun(3.0, 2.0), "confirmed"),
        (rerun(3.0, 1.0), rerun(3.0, 2.0), "not confirmed"),  # the rule finds it still
        (rerun(3.0, 2.0, findings=()), rerun(3.0, 2.0), "not confirmed"),
        (rerun(3.0, float("nan"), findings=()), rerun(3.0, 2.0), "not confirmed"),
        (rerun(3.0, 2.0, findings=()), rerun(3.0, float("inf")), "confirmed"),
        (rerun(3.0, 1.0, findings=(), acted=0), rerun(3.0, 2.0), "cannot be tried"),
        (rerun(3.0, 1.0, findings=()), rerun(3.0, 2.0, findings=()), "cannot be tried"),
        (rerun(3.0, 1.0, 9.0, findings=()), rerun(3.0, 2.0), "confirmed"),  # over the updates that both made
    ],
)
def test_a_verdict_rests_on_the_rule_and_on_the_number(mended, without, verdict):
    assert settle(mended, without).confirmation.verdict == verdict


@contextmanager
def piped(text):
    """Standard input is a pipe that holds `text` and stays open."""
    kept, was = os.dup(0), sys.stdin
    out, into = os.pipe()
    os.write(into, text.encode())
    os.dup2(out, 0)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    try:
        yield
    finally:
        sys.stdin = was
        os.dup2(kept, 0)
        for each in (kept, out, into):
            os.close(each)


def test_a_new_process_finds_the_same_arguments_folder_input_and_variables(check, tmp_path, monkeypatch):
    monkeypatch.setenv("TRUESTEP_TEST", "before")
    told = "os.getcwd(), os.environ['TRUESTEP_TEST'], sys.argv, sys.stdin.readline()"
    seen = f"with open('seen', 'a') as file:\n    file.write(repr(({told})))"
    script = SEEDED.replace("import sys", f"import sys, os\n{seen}").replace(
        "EXTRA", "os.chdir('/'); os.environ['TRUESTEP_TEST'] = 'after'"
    )
    with piped("an answer\n"):
        told = check(script, "--mine", "1")[1]
    assert told["findings"][0]["confirmation"]["verdict"] == "confirmed"
    once = repr((str(tmp_path), "before", ["train.py", "--mine", "1"], "an answer\n"))
    assert (tmp_path / "seen").read_text() == 3 * once
