"""Of the words of a text that became numbers: which the mapping knows, and which only in another spelling.

The text stands near by as the mapping does. Where its words, one by one, have the numbers of the mapping, or those of
their lower-case form, it is the text that was numbered; words that the mapping holds in lower case alone, and that
have the number of unknown words, were looked up in a spelling that it was not made for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any, NamedTuple

from torch import Tensor

WORD = re.compile(r"\w+|[^\w\s]")
MARKS = ".,;:!?\"'()[]"
ROWS, WORDS, LONG = 64, 256, 1 << 12
"""Texts, words of each, and letters of each that are looked at."""
LEAST, SURE = 3, 0.9
Texts = list[list[str]]


class Spelt(NamedTuple):
    """Of `words` words so many have the number of another spelling, and so many are `lost`, as `example` is."""

    words: int
    folded: int
    lost: int
    example: str


def spelt(frame: FrameType, made: Tensor, mapping: Mapping[Any, int]) -> Spelt | None:
    """How the words behind a tensor are spelt, if their text stands under one of the frame's names."""
    few = [word for word in mapping if isinstance(word, str)]
    if len(few) < len(mapping) or made.dim() not in (1, 2) or not all(map(_plain, few)):
        return None
    rows = (made if made.dim() == 2 else made[None])[:ROWS, :WORDS].tolist()
    for value in list(frame.f_locals.values()):
        for texts in _texts(value, len(made) if made.dim() == 2 and len(made) > 1 else 0):
            told = _compared(texts, rows, mapping)
            if told is not None:
                return told
    return None


def _plain(word: str) -> bool:
    """Whether a word of a mapping has the spelling in which everything is looked up, or is a sign as <unk>."""
    return word == word.lower() or word[:1] in "<["


def _texts(value: Any, size: int) -> Iterator[Texts]:
    """A text as its words; of a list of that size the texts of its items, also where they are pairs with a label."""
    if not size:
        yield from ([words] for words in _words(value))
        return
    if not isinstance(value, list | tuple) or len(value) != size:
        return
    first = value[0]
    inner = [None] if isinstance(first, str) or _listed(first) else list(first) if isinstance(first, dict) else (
        list(range(len(first))) if isinstance(first, tuple | list) else []
    )  # fmt: skip
    for at in inner[:4]:
        try:
            items = [each if at is None else each[at] for each in value[:ROWS]]
        except (KeyError, IndexError, TypeError):
            continue
        ways = [list(_words(each)) for each in items]
        yield from ([way[place] for way in ways] for place in range(min(map(len, ways))))


def _words(value: Any) -> Iterator[list[str]]:
    if isinstance(value, str):
        yield from (value[:LONG].split(), WORD.findall(value[:LONG]))
    elif _listed(value):
        yield value


def _listed(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(each, str) for each in value[:ROWS])


def _compared(texts: Texts, rows: list[list[int]], mapping: Mapping[Any, int]) -> Spelt | None:
    """Whether nearly all words have the numbers that one of their spellings has, or are lost alike."""
    for shift in (0, 1):  # behind a sign for the beginning
        both = zip(texts, rows, strict=False)
        pairs = [pair for text, row in both for pair in zip(text, row[shift:], strict=False)]
        known = sum(mapping.get(word) == number for word, number in pairs)
        others = [(word, number) for word, number in pairs if word not in mapping and _folded(word) in mapping]
        folded = sum(mapping[_folded(word)] == number for word, number in others)
        lost = [(word, number) for word, number in others if mapping[_folded(word)] != number]
        clear = known + folded + len(lost)
        alike = len({number for _, number in lost}) <= 1
        if len(pairs) >= LEAST and alike and clear >= SURE * len(pairs):
            return Spelt(len(pairs), folded, len(lost), lost[0][0] if lost else "")
    return None


def _folded(word: str) -> str:
    return word.lower().strip(MARKS) or word
