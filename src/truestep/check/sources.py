"""What stands behind a loader or beside a list: generators that a dataset draws with, lists of the same length."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import Any

import torch

from truestep.check import site

MOST = 200_000


def generators(dataset: Any) -> tuple[str, ...]:
    """The random generators that a dataset, or what it calls, holds and uses outside of its `__init__`."""
    found = list(_drawn(dataset, ""))
    for name, held in list(getattr(dataset, "__dict__", {}).items())[:50]:
        if callable(held) and hasattr(held, "__dict__"):
            found += _drawn(held, f"{name}.")
    return tuple(found)


def _drawn(owner: Any, prefix: str) -> Iterator[str]:
    methods = [
        value
        for kind in type(owner).__mro__
        for name, value in vars(kind).items()
        if name != "__init__" and hasattr(value, "__code__")
    ]
    used = {word for method in methods for word in method.__code__.co_names}
    for name, value in list(getattr(owner, "__dict__", {}).items())[:50]:
        if name in used and _generator(value):
            yield f"{prefix}{name}"


def _generator(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    kinds = (numpy.random.Generator, numpy.random.RandomState) if numpy is not None else ()
    return isinstance(value, (random.Random, torch.Generator, *kinds))


def beside(shuffled: Any) -> tuple[tuple[str, int, tuple[Any, ...]], ...]:
    """The other lists as long as this one under the user's innermost names: name, distinct items, the first 64."""
    frame = site.frame()
    if frame is None or len(shuffled) > MOST:
        return ()
    return tuple(
        (name, len(set(held)), tuple(held[:64]))
        for name, held in list(frame.f_locals.items())
        if isinstance(held, list) and held is not shuffled and len(held) == len(shuffled)
        and all(isinstance(each, bool | int | float | str) for each in held)
    )  # fmt: skip
