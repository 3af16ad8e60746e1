"""`truestep lesson`: a question about training, answered by measuring; or the list, or the book of all of them."""

from __future__ import annotations

import argparse
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import truestep as ts
from truestep.cli import CLEAN, FAILED, Interrupted
from truestep.cli.book import Chapter, write_book
from truestep.cli.folders import claim, done, give_back
from truestep.cli.options import one_of
from truestep.cli.show import say, show_json, show_table, show_words

if TYPE_CHECKING:
    from truestep.lessons import Lesson, Measured


def add_to(commands: Any) -> None:
    """Add this command to the parser."""
    about = "Answer a question about training by measuring; without a name, list the lessons."
    parser = commands.add_parser("lesson", help="answer a question about training by measuring", description=about)
    parser.add_argument("lesson", nargs="?", metavar="LESSON", help="a lesson, by name or number")
    parser.add_argument("--all", action="store_true", help="run all lessons and write them into one HTML book")
    parser.add_argument("--lang", type=one_of("en", "zh"), default="en", metavar="en|zh", help="language of the text")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--run-dir", metavar="DIR", help="the folder of the figures (default: a new one)")
    where.add_argument("--runs", metavar="DIR", help="where run folders are made (default: $TRUESTEP_RUNS, or runs)")
    parser.add_argument("--no-figure", action="store_true", help="save no figures")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(parser=parser)


def run(found: argparse.Namespace) -> int:
    """Run the lesson that was asked for, or all of them, or list them."""
    if found.lesson is not None and found.all:
        raise ts.ConfigError(f"--all runs every lesson: leave out {found.lesson}, or leave out --all.")
    torch.set_num_threads(1)  # networks this small are slower on several, and sums then come out in another order
    if found.lesson is not None:
        return _one(found, ts.lessons.load(found.lesson))
    return _all(found) if found.all else _list(found)


def _one(found: argparse.Namespace, lesson: Lesson) -> int:
    folder = None if found.no_figure else claim(found.run_dir, found.runs, f"lesson-{lesson.name}", _asked(lesson.name))
    begun = time.perf_counter()
    measured = _measured(lesson, folder)
    if measured is None:
        return FAILED
    seconds, figures = time.perf_counter() - begun, _figures(lesson, measured, folder)
    told = lesson.told(measured, found.lang)
    if found.json:
        show_json({**_facts(lesson, measured, found.lang, figures), "seconds": seconds, "folder": folder})
        return CLEAN
    show_words(f"{lesson.number}. {told.question}", "", told.answer, "")
    show_table(told.heads, told.rows, words=[told.heads[column] for column in told.left])
    show_words("", told.caption, *(f"  {path}" for path in figures), "", lesson.code)
    return CLEAN


def _all(found: argparse.Namespace) -> int:
    folder = claim(found.run_dir, found.runs, "lessons", _asked("all"))
    chapters = []
    for name in ts.lessons.names():
        lesson = ts.lessons.load(name)
        say(f"{lesson.number:>2}/{len(ts.lessons.names())} {lesson.question(found.lang)}")
        measured = _measured(lesson, folder)
        if measured is None:
            return FAILED
        figures = [] if found.no_figure else _figures(lesson, measured, folder, name)
        chapters.append(Chapter(lesson, measured, figures))
    book = write_book(folder / "lessons.html", chapters, found.lang)
    if found.json:
        lessons = [_facts(chapter.lesson, chapter.measured, found.lang, chapter.figures) for chapter in chapters]
        show_json({"lessons": lessons, "book": book, "folder": folder})
    else:
        print(book)
    return CLEAN


def _list(found: argparse.Namespace) -> int:
    lessons = [(theme[found.lang], ts.lessons.load(name)) for theme, names in ts.lessons.THEMES for name in names]
    if found.json:
        known = [
            {"number": each.number, "name": each.name, "theme": theme, "question": each.question(found.lang)}
            for theme, each in lessons
        ]
        show_json({"lessons": known})
        return CLEAN
    themes = [theme for theme, _ in lessons]
    rows = [
        (theme if theme not in themes[:place] else "", str(each.number), each.name, each.question(found.lang))
        for place, (theme, each) in enumerate(lessons)
    ]
    heads = {"en": ("theme", "", "lesson", "question"), "zh": ("主题", "", "课", "问题")}[found.lang]
    show_table(heads, rows, words=heads[::2] + heads[3:], spare=heads[:1])
    return CLEAN


def _asked(name: str) -> dict[str, str]:
    return {"lesson": name}


def _measured(lesson: Lesson, folder: Path | None) -> Measured | None:
    """What the lesson found; None, with a sentence, where something that it says did not come out."""
    try:
        return lesson.run()
    except KeyboardInterrupt:
        _undo(folder)
        raise Interrupted(f"interrupted in the lesson {lesson.name}.") from None
    except AssertionError as error:
        _undo(folder)
        last, broken = traceback.extract_tb(error.__traceback__)[-1], str(error).partition("\n")[0]
        say(
            f"the lesson {lesson.name} says what torch {torch.__version__} does not do here "
            f"(line {last.lineno}, {broken or last.line}): please report it."
        )
        return None


def _undo(folder: Path | None) -> None:
    if folder is not None:
        give_back(folder)


def _figures(lesson: Lesson, measured: Measured, folder: Path | None, name: str = "lesson") -> list[Path]:
    """The figure as PNG and SVG, or a sentence why there is none: what was measured is not lost for a picture."""
    if folder is None:
        return []
    done(folder)
    try:
        return [*ts.plot.save(ts.plot.chart(measured.panels, lesson.title()), folder, name)]
    except ts.TruestepError as error:
        say(f"no figure: {error}")
        return []


def _facts(lesson: Lesson, measured: Measured, language: str, figures: list[Path]) -> dict[str, Any]:
    told = lesson.told(measured, language)
    return {
        "number": lesson.number,
        "name": lesson.name,
        "lang": language,
        "question": told.question,
        "answer": told.answer,
        "table": {"heads": told.heads, "rows": told.rows},
        "measured": measured.rows,
        "caption": told.caption,
        "code": lesson.code,
        "figures": figures,
    }
