"""Every lesson measures what it says, in both languages, with a table, a figure and code that run."""

import ast
import math
import re
import string
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import torch

import truestep as ts
from truestep import plot
from truestep.lessons import LANGUAGES, lesson

FOLDER = Path(ts.lessons.__file__).parent
NAMES = ts.lessons.names()
HAN = r"[\u4e00-\u9fff]"


@cache
def measured(name):
    """What a lesson finds; running it asserts what it says."""
    return ts.lessons.load(name).run()


def module(name):
    return import_module(f"truestep.lessons.{name.replace('-', '_')}")


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_measures_what_it_says(name):
    found = measured(name)
    assert found.rows
    assert found.numbers
    for row in found.rows:
        assert all(math.isfinite(cell) for cell in row if isinstance(cell, int | float))
    tree = ast.parse(Path(module(name).__file__).read_text(encoding="utf-8"))
    assert sum(isinstance(node, ast.Assert) for node in ast.walk(tree)) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_is_told_in_both_languages(name):
    found, lesson = measured(name), ts.lessons.load(name)
    told = {language: lesson.told(found, language) for language in LANGUAGES}
    for one in told.values():
        assert all([one.question, one.answer, one.caption, *one.heads[1:]])
        assert len(one.rows) == len(found.rows)
        assert all(len(row) == len(one.heads) for row in one.rows)
        assert one.question.endswith(("?", "？"))
        assert one.answer[-1] in ".。"
    assert not re.search(HAN, "".join([told["en"].question, told["en"].answer, told["en"].caption, *told["en"].heads]))
    for text in (told["zh"].question, told["zh"].answer, told["zh"].caption):
        assert re.search(HAN, text)
        assert not re.search(f"{HAN}[,;:?!]|[,;:?!]{HAN}", text), "Chinese has marks of its own"
        assert not re.search(f"{HAN} {HAN}", text), "a wrapped line leaves no blank between two characters"


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_quote_the_same_numbers(name):
    lesson = ts.lessons.load(name)

    def quoted(language):
        fields = string.Formatter().parse(lesson.words[language]["answer"])
        return sorted({(field, form) for _, field, form, _ in fields if field is not None})

    assert quoted("en") == quoted("zh")
    assert quoted("en"), "an answer quotes what was measured"


@pytest.mark.parametrize("name", NAMES)
def test_every_phrase_of_a_table_is_translated_and_no_translation_is_left_over(name):
    found = measured(name)
    cells = {cell for row in found.rows for cell in row if isinstance(cell, str)}
    labels = set(ts.lessons.load(name).words["zh"].get("labels", {}))
    assert labels <= cells
    phrases = {cell for cell in cells - labels if re.fullmatch(r"[A-Za-z][A-Za-z ,'-]* [A-Za-z ,'-]+", cell)}
    assert phrases <= {value for value in found.numbers.values() if isinstance(value, str)}, "but for what torch says"


@pytest.mark.parametrize("name", NAMES)
def test_the_code_to_try_next_runs(name, capsys, elsewhere):
    exec(compile(ts.lessons.load(name).code, name, "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_has_titles_labels_and_nothing_cut_off(name):
    lesson, found = ts.lessons.load(name), measured(name)
    for panel in found.panels:
        assert panel.xlabel
        assert panel.ylabel
        for curve in panel.curves:
            assert len(curve.x) == len(curve.y) > 0
            assert all(map(math.isfinite, curve.y))
        for bars in panel.bars:
            assert all(map(math.isfinite, bars.values.values()))
    figure = plot.chart(found.panels, lesson.title())
    figure.canvas.draw()
    assert figure.get_suptitle().split() == lesson.title().split()
    whole = figure.bbox
    for axes in figure.axes:
        texts = [
            axes.xaxis.label,
            axes.yaxis.label,
            axes.title,
            *axes.texts,
            *axes.get_yticklabels()[: len(axes.patches)],
        ]
        for text in texts:
            box = text.get_window_extent()
            assert not text.get_text() or (box.x0 >= whole.x0 - 1 and box.x1 <= whole.x1 + 1), text.get_text()
            assert not text.get_text() or (box.y0 >= whole.y0 - 1 and box.y1 <= whole.y1 + 1), text.get_text()
        for legend in figure.legends:
            assert not legend.get_window_extent().overlaps(axes.get_window_extent())


def test_there_are_thirty_lessons_each_with_a_program_and_its_words():
    assert len(NAMES) == len(set(NAMES)) == 30
    own = {"__init__", "lesson"}
    assert {path.stem for path in FOLDER.glob("*.py")} - own == {name.replace("-", "_") for name in NAMES}
    assert {path.stem for path in FOLDER.glob("*.toml")} == {name.replace("-", "_") for name in NAMES}
    assert [ts.lessons.load(name).number for name in NAMES] == list(range(1, 31))


def test_a_lesson_is_found_by_name_and_by_number():
    assert ts.lessons.load("8").name == ts.lessons.load("sum_or_mean").name == "sum-or-mean"
    hint = r"did you mean momentum\? truestep lesson lists all of them\.$"
    with pytest.raises(ts.ConfigError, match=rf"^there is no lesson 'momentun'; {hint}"):
        ts.lessons.load("momentun")
    with pytest.raises(ts.ConfigError, match=r"^there is no lesson 31: they are numbered from 1 to 30\.$"):
        ts.lessons.load("31")


def test_a_lesson_does_not_depend_on_the_callers_random_state_and_leaves_it_alone():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first = ts.lessons.load("batch-size").run()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(8)
    with torch.no_grad():
        assert ts.lessons.load("batch-size").run().rows == first.rows


PRINTED = {  # as the list of the thirty questions has them
    "one-step": ["0.6661", "0.4156", "0.1651", "5.3872", "None", "-10.0049", "-4.1688", "-0.1505", "0.9583"],
    "cross-entropy": ["0.659, 0.242, 0.099", "0.417"],
    "reduction-sum": ["1,000", "10,000"],
}


@pytest.mark.parametrize("name", PRINTED)
def test_the_figures_come_out_as_printed(name):
    cells = [cell for row in ts.lessons.load(name).told(measured(name)).rows for cell in row]
    assert set(PRINTED[name]) <= set(cells)


SABOTAGE = {  # one thing changed in the program of a lesson -> what it then fails to find
    ("one-step", "LR", 0.02): "new weights",
    ("momentum", "A", 0.0): "once it changes they are not",
    ("norm-or-square", "optimizer_pull", lambda w: w.detach()): "the optimizer applies the square's",
    ("cross-entropy", "gradient", lambda logits, twice: (0.417, torch.zeros(3))): "p minus one-hot",
    ("prior", "GRADIENTS", (1.0, 1.0)): "hardly touches",
    ("two-losses", "ERRORS", (2.0,)): "smaller loss can be the one",
}


@pytest.mark.parametrize("broken", SABOTAGE, ids=lambda broken: f"{broken[0]}-{broken[1]}")
def test_a_lesson_that_measures_something_else_says_so(broken, monkeypatch):
    name, attribute, value = broken
    monkeypatch.setattr(module(name), attribute, value)
    with pytest.raises(AssertionError, match=SABOTAGE[broken]):
        ts.lessons.load(name).run()


def test_wrapped_lines_are_joined_as_their_script_wants():
    assert lesson._joined("one", "two") == "one two"
    assert lesson._joined("第一", "第二") == "第一第二"
    assert lesson._joined("共", "{n} 个") == "共 {n} 个"
    assert lesson._joined("句号。", "`code`") == "句号。`code`"
