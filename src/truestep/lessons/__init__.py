"""Lessons: thirty questions about training networks, each answered by a short program that measures.

A lesson is a module with `measure()`, which asserts what the lesson says and returns `Measured`, and beside it a file
of its words: question, answer, caption and heads of the table in English and Chinese, and code to try next. Numbers in
an answer are places that `measure` fills, so that no language can say what was not measured.
"""

from __future__ import annotations

import truestep as ts
from truestep.lessons.lesson import LANGUAGES, Lesson, Measured, Told, read

__all__ = ["LANGUAGES", "THEMES", "Lesson", "Measured", "Told", "find", "load", "names"]

THEMES = (
    (
        {"en": "One step", "zh": "一步更新"},
        ("one-step", "clear-gradients", "cross-entropy", "momentum", "no-grad", "in-place", "loss-value"),
    ),
    (
        {"en": "Sum, mean and batch size", "zh": "求和、平均与批量大小"},
        (
            *("sum-or-mean", "batch-size", "own-updater", "reduction-sum", "three-spellings", "ragged-batch"),
            *("lost-samples", "joined-losses", "backward-twice", "micro-batches", "reduction-none"),
        ),
    ),
    ({"en": "Mixed losses", "zh": "混合损失"}, ("two-losses", "two-views")),
    (
        {"en": "Weight decay", "zh": "权重衰减"},
        (
            *("decay-strength", "wobbly-curves", "penalty-or-decay", "bias-decay", "norm-or-square"),
            *("decay-or-rate", "prior", "final-loss"),
        ),
    ),
    ({"en": "Whole models", "zh": "完整的模型"}, ("lenet5", "softmax")),
)
"""Each theme by language, and its lessons; a lesson's number is its place among all of them."""


def names() -> tuple[str, ...]:
    """The lessons by name, in their order."""
    return tuple(name for _, lessons in THEMES for name in lessons)


def find(name: str) -> str:
    """The name of a lesson, given that name (a hyphen and an underscore mean the same) or its number.

    Raises:
        ConfigError: where there is none, with the nearest that exists.
    """
    known = names()
    if not name.isdecimal():
        return ts.recipes.choose("lesson", name.replace("_", "-"), known, "truestep lesson lists all of them")
    if not 1 <= int(name) <= len(known):
        raise ts.ConfigError(f"there is no lesson {name}: they are numbered from 1 to {len(known)}.")
    return known[int(name) - 1]


def load(name: str) -> Lesson:
    """The lesson of that name or number, ready to run: `found = lesson.run()`, `lesson.told(found, "zh").answer`.

    Raises:
        ConfigError: where there is none, with the nearest that exists.
    """
    found = find(name)
    return read(found, names().index(found) + 1)
