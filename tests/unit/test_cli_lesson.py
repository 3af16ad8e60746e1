"""`truestep lesson` lists, runs and binds lessons; its book needs nothing but itself."""

import base64
import json
import re
from html.parser import HTMLParser

import pytest

import truestep as ts
from truestep.lessons import in_place, no_grad
from truestep.store.rundb import read_run

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def two(monkeypatch):
    """A book of two quick lessons."""
    themes = (({"en": "First", "zh": "第一"}, ("no-grad",)), ({"en": "Second", "zh": "第二"}, ("in-place",)))
    monkeypatch.setattr(ts.lessons, "THEMES", themes)


def test_without_a_name_the_lessons_are_listed_by_theme(run):
    status, out, err = run("lesson")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 32
    assert lines[2].split("  ")[0] == "One step"
    assert all(any(f" {name} " in line for line in lines) for name in ts.lessons.names())
    assert "训练中的“一步”到底做了什么？" in run("lesson", "--lang", "zh")[1]
    found = json.loads(run("lesson", "--json")[1])["lessons"]
    assert [each["number"] for each in found] == list(range(1, 31))
    assert found[28] == {
        "number": 29,
        "name": "lenet5",
        "theme": "Whole models",
        "question": ts.lessons.load("lenet5").question(),
    }


def test_a_lesson_prints_its_answer_and_table_and_saves_its_figure(run, tmp_path):
    status, out, err = run("lesson", "no-grad", "--run-dir", "here")
    assert (status, err) == (0, "")
    told = ts.lessons.load("no-grad").told(ts.lessons.load("no-grad").run())
    lines = out.splitlines()
    assert lines[0] == "5. Why does a hand-written update need no_grad?"
    for text in (told.answer, told.caption, "  here/lesson.png", "  here/lesson.svg"):
        assert text in lines
    assert out.endswith(ts.lessons.load("no-grad").code + "\n")
    assert (tmp_path / "here" / "lesson.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "here" / "lesson.svg").stat().st_size > 1000
    assert read_run(tmp_path / "here" / "run.sqlite").status == "finished"
    assert "here" not in run("runs")[1]


def test_a_lesson_by_number_in_chinese_as_json_leaves_nothing_behind_without_figures(run, tmp_path):
    status, out, err = run("lesson", "5", "--lang", "zh", "--json", "--no-figure")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert (found["name"], found["lang"], found["number"]) == ("no-grad", "zh", 5)
    assert found["table"]["heads"][0] == "更新的写法"
    assert found["measured"][0][1] == pytest.approx(2.99997, abs=1e-4)
    assert (found["figures"], found["folder"]) == ([], None)
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_is_made_and_listed(run, tmp_path):
    assert run("lesson", "no-grad", "--runs", "all")[0] == 0
    (folder,) = (tmp_path / "all").iterdir()
    assert folder.name.startswith("lesson-no-grad-")
    (listed,) = json.loads(run("runs", "--root", "all", "--json")[1])["runs"]
    assert listed["status"] == "finished"


class Page(HTMLParser):
    """What a page loads, and its text by language."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.ids, self.tags, self.checked = [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.loads += [found[name] for name in ("src", "href") if name in found]
        self.ids += [found["id"]] if "id" in found else []
        if "checked" in found:
            self.checked = found["id"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_book_is_one_page_in_both_languages_that_needs_nothing_else(run, tmp_path, two, language):
    status, out, err = run("lesson", "--all", "--lang", language, "--run-dir", "book")
    assert (status, out) == (0, "book/lessons.html\n")
    assert [line.split()[0] for line in err.splitlines()] == ["1/2", "2/2"]
    text = (tmp_path / "book" / "lessons.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.checked == language
    assert len(page.ids) == len(set(page.ids))
    assert not {"script", "link", "iframe"} & set(page.tags)
    images = [each for each in page.loads if each.startswith("data:image/svg+xml;base64,")]
    assert len(images) == 2
    assert all(base64.b64decode(image.partition(",")[2]).startswith(b"<?xml") for image in images)
    assert [each for each in page.loads if each not in images] == ["#no-grad", "#in-place"]
    assert not re.search(r"url\(|@import|https?://", text)
    for lesson in map(ts.lessons.load, ("no-grad", "in-place")):
        for each in ts.lessons.LANGUAGES:
            assert lesson.question(each) in text
    for name in ("no-grad", "in-place"):
        assert (tmp_path / "book" / f"{name}.png").exists()


def test_the_book_as_json_has_every_lesson(run, tmp_path, two):
    status, out, _ = run("lesson", "--all", "--json", "--no-figure", "--run-dir", "book")
    found = json.loads(out)
    assert status == 0
    assert [each["name"] for each in found["lessons"]] == ["no-grad", "in-place"]
    assert found["book"] == "book/lessons.html"
    assert "<img" not in (tmp_path / "book" / "lessons.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("words", [["no-grad"], ["--all"]])
def test_a_claim_that_does_not_come_out_is_told_and_leaves_no_folder(run, tmp_path, two, monkeypatch, words):
    def wrong():
        assert 1 > 2, "one is more than two"

    monkeypatch.setattr(no_grad, "measure", wrong)
    status, out, err = run("lesson", *words, "--run-dir", "here")
    assert (status, out) == (3, "")
    where = r"\(line \d+, one is more than two\)"
    said = rf"the lesson no-grad says what torch \S+ does not do here {where}: please report it\."
    assert re.fullmatch(said, err.splitlines()[-1])
    assert not (tmp_path / "here").exists()


def test_an_interrupted_lesson_says_so(run, tmp_path, monkeypatch):
    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr(in_place, "measure", stop)
    assert run("lesson", "in-place") == (130, "", "interrupted in the lesson in-place.\n")
    assert list(tmp_path.glob("runs/*")) == []


def test_a_lesson_without_matplotlib_still_answers(run, monkeypatch):
    def missing(*_):
        raise ts.ConfigError("figures need matplotlib")

    monkeypatch.setattr(ts.plot, "chart", missing)
    status, out, err = run("lesson", "no-grad")
    assert (status, err) == (0, "no figure: figures need matplotlib\n")
    assert "Because autograd records" in out


MISTAKES = {
    "lesson momentun": "there is no lesson 'momentun'; did you mean momentum? truestep lesson lists all of them.",
    "lesson 0": "there is no lesson 0: they are numbered from 1 to 30.",
    "lesson momentum --all": "--all runs every lesson: leave out momentum, or leave out --all.",
    "lesson --lang fr": "--lang: 'fr' is not one of en, zh; see truestep lesson --help.",
    "lesson momentum 5": "truestep lesson does not know 5; see truestep lesson --help.",
    "lesson 5 --run-dir a --runs b": "--runs: not allowed with argument --run-dir; see truestep lesson --help.",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_gets_one_sentence_and_leaves_nothing_behind(words, run, tmp_path):
    assert run(*words.split()) == (2, "", MISTAKES[words] + "\n")
    assert list(tmp_path.iterdir()) == []
