"""A lesson: a program that measures, and beside it the words that say in two languages what it measured."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from importlib.resources import files
from typing import Any

import torch

import truestep as ts

LANGUAGES = ("en", "zh")
TRUTH = {"en": {True: "yes", False: "no"}, "zh": {True: "是", False: "否"}}
Cell = str | bool | int | float


@dataclass(frozen=True, slots=True)
class Measured:
    """What the program of a lesson found.

    `numbers` are what the answer quotes, `rows` the table and `panels` the figure. Cells stay numbers; `forms` says how
    they are printed, for all columns or one by one. Words in cells and in the figure are English.
    """

    numbers: Mapping[str, Any]
    rows: Sequence[Sequence[Cell]]
    panels: Sequence[ts.plot.Panel]
    forms: str | Sequence[str] = ".4g"


@dataclass(frozen=True, slots=True)
class Told:
    """A lesson as it is read in one language, with its numbers in place; the columns `left` hold words."""

    question: str
    answer: str
    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Lesson:
    """One question: `name` of its module, `number`, `code` to try next, and its words by language."""

    name: str
    number: int
    code: str
    words: Mapping[str, Mapping[str, Any]]

    def question(self, language: str = "en") -> str:
        """What the lesson answers."""
        return self.words[language]["question"]

    def run(self) -> Measured:
        """Measure, always from the same random numbers; those of the caller are left alone.

        Raises:
            AssertionError: where something that the lesson says did not come out.
        """
        module = import_module(f"truestep.lessons.{_file(self.name)}")
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(0)
            return module.measure()

    def told(self, found: Measured, language: str = "en") -> Told:
        """The words of one language with the numbers that were found."""
        words, truth = self.words[language], TRUTH[language]
        forms = [found.forms] * len(words["heads"]) if isinstance(found.forms, str) else found.forms
        labels: Mapping[str, str] = words.get("labels", {})

        def text(cell: Cell, form: str) -> str:
            if isinstance(cell, str):
                return labels.get(cell, cell)
            if isinstance(cell, bool):
                return truth[cell]
            return f"{cell:,}" if isinstance(cell, int) else f"{cell:{form}}"

        rows = (tuple(text(*pair) for pair in zip(row, forms, strict=True)) for row in found.rows)
        answer = words["answer"].format(**found.numbers)
        left = tuple(i for i in range(len(words["heads"])) if all(isinstance(row[i], str | bool) for row in found.rows))
        return Told(words["question"], answer, words["caption"], tuple(words["heads"]), tuple(rows), left)

    def title(self) -> str:
        """Number and question in English, for the figure."""
        return f"{self.number}. {self.question()}"


def read(name: str, number: int) -> Lesson:
    """The lesson of that name, without running it."""
    found = tomllib.loads((files("truestep.lessons") / f"{_file(name)}.toml").read_text(encoding="utf-8"))
    code = found.pop("code").strip()
    for words in found.values():
        for key in ("question", "answer", "caption"):
            words[key] = reduce(_joined, words[key].split("\n"))
    return Lesson(name, number, code, found)


def _joined(line: str, following: str) -> str:
    """Two lines of a wrapped paragraph as one: with a blank between, but for Chinese beside its like or a mark."""
    line, following = line.strip(), following.strip()
    ends = line[-1], following[0]
    latin = all(end.isascii() for end in ends)
    beside = any(end.isascii() for end in ends) and all(end.isalnum() or end in "{}`-" for end in ends)
    return f"{line} {following}" if latin or beside else line + following


def _file(name: str) -> str:
    return name.replace("-", "_")
