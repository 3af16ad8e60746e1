"""The classes of labels that were numbered by their places in a list: `classes.index(label)`, or `np.unique`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

LEAST, MOST, LARGEST = 3, 512, 1 << 14


def classes(held: Sequence[Any], made: Tensor) -> dict[Any, int] | None:
    """The one list of different words, or of growing numbers, of which each has a label in a tensor, as a mapping."""
    if not 0 < made.numel() <= LARGEST:
        return None
    numbers = made.unique().tolist()
    if len(numbers) > MOST or numbers != list(range(len(numbers))):
        return None
    found = {id(each): each for value in held for each in _listed(value) if len(each) == len(numbers)}
    lists = {tuple(each) for each in found.values()}
    return {word: place for place, word in enumerate(lists.pop())} if len(lists) == 1 else None


def _listed(value: Any) -> Iterator[list[Any]]:
    """A list of classes, or those that an object of the user's holds, as an encoder of labels does."""
    if type(value).__module__ == "numpy" and getattr(value, "ndim", 0) == 1:
        value = value.tolist() if LEAST <= len(value) <= MOST and value.dtype.kind in "iuU" else None
    if isinstance(value, list | tuple) and LEAST <= len(value) <= MOST:
        words = all(type(each) is str for each in value)
        growing = all(type(each) is int for each in value) and list(value) == sorted(value)
        if (words or growing) and len(set(value)) == len(value):
            yield list(value)
    elif value is not None and not isinstance(value, type | str | Tensor):
        inner = getattr(value, "__dict__", {})
        for each in list(inner.values())[:MOST] if isinstance(inner, dict) else ():
            if isinstance(each, list | tuple) or type(each).__module__ == "numpy":
                yield from _listed(each)
