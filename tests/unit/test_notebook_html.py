"""Results in a notebook are HTML that needs no script, follows the notebook's day and night, and escapes every word."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import truestep as ts
from truestep.check.finding import Confirmation, Finding, Rule
from truestep.check.report import Report
from truestep.check.site import Site
from truestep.fit.history import History, Record
from truestep.notebook import sheets
from truestep.notebook.state import State
from truestep.sweep.table import Table
from unit.notebook_cases import train

SCRIPT = "<script>alert(1)</script>"


class Page(HTMLParser):
    """The words of a page, and whether each element that is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.tags, self.loads = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loads += [value for name, value in attributes if name in ("src", "href")]
        if tag != "path":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open and data.strip():
            self.words.append(data.strip())


def page(shown):
    found = Page(shown if isinstance(shown, str) else shown._repr_html_())
    assert "script" not in found.tags
    assert found.loads == []
    return found


def finding(level="error", **more):
    told = {"message": f"{level} of {SCRIPT}", "evidence": "1 < 2", "why": "", "fix": "write a & b", **more}
    return Finding(Rule("TS101", "never_cleared", "a title", level, "updates"), level, Site("train.py", 7), **told)


def report(*found, **more):
    made = Report()
    made.findings, made.done, made.rules = list(found), True, 66
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_a_report_tells_its_findings_the_gravest_first_with_all_that_they_say():
    words = "the loss fell as claimed."
    confirmed = finding("warning", confirmation=Confirmation("confirmed", words), count=3)
    shown = page(
        report(finding(), finding(), confirmed, looked=["23 calls"], blind=["rank 1"], reruns="run again twice")
    )
    text = " ".join(shown.words)
    assert "2 errors, 1 warning by 66 rules" in text
    assert text.index("error of") < text.index("warning of")
    for said in (
        SCRIPT,
        "1 < 2",
        "write a & b",
        words,
        "(3 times)",
        "TS101 never_cleared",
        "train.py, line 7",
        "23 calls",
    ):
        assert said in text
    assert "not seen: rank 1" in text
    assert "run again twice" in text
    assert "why" not in shown.words  # it is empty


def test_a_report_without_findings_and_one_of_a_run_that_is_not_over_say_so():
    assert "No findings by 66 rules" in " ".join(page(report()).words)
    assert "status finished" in report()._repr_html_()
    assert "status finished" not in report(finding())._repr_html_()
    assert page(Report()).words == ["The run is not over: the report is filled when the block is left."]


def test_a_watch_is_shown_as_html():
    model = nn.Linear(3, 1)
    update = torch.optim.SGD(model.parameters(), lr=0.1)
    with ts.watch() as seen:
        for _ in range(5):
            nn.functional.mse_loss(model(torch.randn(4, 3)), torch.randn(4, 1)).backward()
            update.step()
    text = " ".join(page(seen).words)
    assert f"{seen.findings[0].message} " in text
    assert "by 66 rules" in text or f"by {seen.rules} rules" in text


def test_a_line_of_a_cell_is_named_by_the_number_of_the_cell(monkeypatch):
    compiler = SimpleNamespace(format_code_name=lambda name: ("Cell", "In[6]") if name == "/tmp/1.py" else None)
    monkeypatch.setattr(sheets, "notebook_shell", lambda: SimpleNamespace(compile=compiler))
    assert sheets.place_of("/tmp/1.py") == "cell In[6]"
    assert sheets.place_of("train.py") == "train.py"
    monkeypatch.setattr(sheets, "notebook_shell", lambda: None)
    assert sheets.place_of("/tmp/1.py") == "/tmp/1.py"


def test_a_run_is_shown_with_its_losses_its_best_epoch_and_every_epoch(tmp_path):
    run, _ = train(epochs=3, lr=0.05, progress=False, run_dir=tmp_path / "a<i>b")
    shown = page(run)
    text = " ".join(shown.words)
    assert "finished 3 epochs" in text
    assert f"{run.best.valid_loss:.4g}" in text
    assert "3 epochs, the last first" in text
    assert str(tmp_path / "a<i>b") in text
    assert shown.tags.count("path") == 2
    assert "nothing" not in repr(run)
    assert repr(run).startswith("Run of 3 epochs, 30 steps in ")
    assert len(repr(run)) < 1000  # and no tensor of it


def test_a_run_without_an_epoch_and_one_that_was_not_validated_are_shown():
    assert "stopped after epoch 0" in " ".join(page(train(epochs=1, lr=float("inf"), progress=False)[0]).words)
    shown = page(train(epochs=2, progress=False, validate=None)[0])
    assert shown.tags.count("path") == 1
    assert "★" not in " ".join(shown.words)


def test_a_history_is_a_table():
    shown = page(History([Record({"epoch": 1, "valid_loss": 2.0}), Record({"epoch": 2, "valid_loss": 1.0})]))
    assert shown.words[0] == "2 epochs, the last first; ★ has the least valid loss"
    assert shown.words.index("★") < shown.words.index("1")


def test_html_needs_no_extra():
    program = (
        "import sys; sys.modules |= dict.fromkeys(('anywidget', 'ipywidgets', 'matplotlib', 'starlette', 'IPython'))\n"
        "import truestep as ts; print(ts.History([ts.Record({'epoch': 1, 'train_loss': 2.0})])._repr_html_())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "1 epoch, the last first" in " ".join(page(done.stdout).words)


def test_a_study_has_its_best_variant_marked_and_of_a_long_table_the_first_rows_and_the_best():
    data = torch.randn(20, 3), torch.randn(20, 1)
    study = ts.sweep(
        lambda: nn.Linear(3, 1), data, nn.MSELoss(), torch.optim.SGD, grid={"lr": [1e-4 * k for k in range(1, 71)]},
        epochs=1, batch_size=5, compile=False, progress=False,
    )  # fmt: skip
    text = " ".join(page(study).words)
    assert "70 variants" in text
    assert f"{study.best().variant} ★" in text
    assert re.search(r"6[01] of 70 rows are shown", text)
    table = page(study.table[:3])
    assert table.words[:4] == ["lr", "seed", "train_loss", "0"]
    assert "★" not in table.words


def test_names_and_values_of_a_table_are_escaped():
    shown = page(Table([Record({SCRIPT: SCRIPT, "a_b": None, "a b": float("nan")})]))
    assert shown.words == [SCRIPT, "a_b", "a b", "0", SCRIPT, "–", "nan"]


def test_sentences_and_names_of_a_state_are_escaped():
    last = {"epoch": 1, f"valid_{SCRIPT}": 1.0}
    told = State(status=f"failed: {SCRIPT}", last=last, notes=[SCRIPT], reason=SCRIPT)
    assert page(sheets.run_section(told, {"train": [], "valid": []})).words.count(SCRIPT) == 2


@pytest.mark.parametrize("night", [True, False])
def test_a_section_has_the_colours_of_the_notebook_whatever_the_machine_has(night):
    text = sheets.section("")
    hosts = sheets.NIGHTS if night else sheets.DAYS
    rule = f"{hosts} .truestep-sheet{{{sheets.NIGHT if night else sheets.DAY}"
    assert rule in text
    assert text.index("prefers-color-scheme") < text.index(rule)  # the later one holds
