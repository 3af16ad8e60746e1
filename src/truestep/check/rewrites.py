"""Sees whether making a batch writes into what the data set stores, again and again: told of a pass's first batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy
import torch
from torch import Tensor
from torch.utils.data import Subset

from truestep.check.events import Op
from truestep.check.looks import plain
from truestep.check.site import Site
from truestep.check.sources import ITEMS, inner

if TYPE_CHECKING:
    from truestep.check.loaders import _Pass
    from truestep.check.recorder import Recorder

PASSES = 8
"""Passes of a loader that are looked at."""
REAL = {torch.float64, torch.float32, torch.float16, torch.uint8}
LISTED, WEIGHTY = 100, 1 << 24
"""Arrays of a list that are looked at, and the bytes of an array above which it is not."""
ODD = numpy.uint64(0x9E3779B97F4A7C15)


class Rewrites:
    """Writes an `Op` "fetch wrote" with the loader, the pass and the names of what was changed once more.

    A cache that is filled when an item is first asked for changes each of its rows once; what counts are rows that had
    changed before, in a pass or between two.
    """

    def __init__(self) -> None:
        self._begun = Counter[int]()
        self._last: dict[tuple[int, str], Any] = {}  # by data set and name the marks of the rows at the last look,
        self._changed: dict[tuple[int, str], Any] = {}  # and which had changed by then

    def before(self, recorder: Recorder, known: _Pass, iterator: Any) -> Callable[[], None]:
        """Look at a data set before a batch is made of it, in this process, and return what looks at it afterwards."""
        if known.place or known.torchs or iterator._num_workers or self._begun[known.loader] >= PASSES:
            return _nothing
        self._begun[known.loader] += 1
        with recorder.looking:
            base = iterator._dataset
            while isinstance(base, Subset):
                base = base.dataset
            number = recorder.numbers.of(base)
            if self._moved(number, base) is not None:
                return partial(self._after, recorder, (known.loader, known.run), number, base)
        return _nothing

    def _after(self, recorder: Recorder, told: tuple[int, int], number: int, base: Any) -> None:
        with recorder.looking:
            names = self._moved(number, base)
            code = getattr(getattr(type(base), "__getitem__", None), "__code__", None)
            if names and code is not None:
                place = Site(code.co_filename, code.co_firstlineno, code.co_name)
                recorder.emit(Op, place, name="fetch wrote", args=(*told, names), words={}, out=(), grad=False)

    def _moved(self, number: int, base: Any) -> tuple[str, ...] | None:
        """The tables with rows that changed since the last look and had changed before; None where there are none."""
        again, held = [], tables(base)
        for name, marks in held.items():
            key = number, name
            last = self._last.get(key)
            if last is None or len(last) != len(marks):
                self._changed[key] = numpy.zeros(len(marks), bool)
            else:
                moved = marks != last
                again += [name] if bool((moved & self._changed[key]).any()) else []
                self._changed[key] |= moved
            self._last[key] = marks
        return tuple(again) if held else None


def _nothing() -> None:
    pass


def tables(dataset: Any) -> dict[str, Any]:
    """A mark of each row of what a data set, or those that it is made of, holds for its items: arrays, and lists of
    arrays. A series has more numbers than there are items, which are its windows; as many may be counts of them.

    What stands in whole numbers may be the data set's own account of its items, and what has fewer rows than there are
    items a few places that are used in turn.
    """
    found = {}
    for place, owner in enumerate((dataset, *inner(dataset))):
        size = len(owner) if hasattr(type(owner), "__len__") else 0
        for name, value in list(getattr(owner, "__dict__", {}).items())[:50]:
            if isinstance(value, list) and len(value) >= max(size, ITEMS):
                each = [_numbers(one, 1) for one in value[:LISTED]]
                marks = None if any(one is None for one in each) else numpy.array([_crc(one) for one in each])
            else:
                whole = _numbers(value, 1)
                few = whole is None or len(whole) < size + (whole.ndim == 1)
                marks = None if few else _rows(whole)
            if marks is not None:
                found[f"{name}@{place}"] = marks
    return found


def _numbers(value: Any, dimensions: int) -> Any:
    """A tensor or an array of real numbers or pixels, as an array; None for anything else, and for what is large."""
    held: Any = value
    if isinstance(value, Tensor) and plain(value) and value.is_cpu and value.dtype in REAL:
        held = value.detach().resolve_neg().numpy()
    if type(held).__module__ != "numpy" or getattr(held, "ndim", 0) < dimensions or held.nbytes > WEIGHTY:
        return None
    return held if held.dtype.kind == "f" or held.dtype.name == "uint8" else None


def _crc(held: Any) -> int:
    return crc32(held.tobytes())


def _rows(held: Any) -> Any:
    """One whole number a row, that differs where a bit of the row does (but for chance, once in 2 ** 64)."""
    raw = numpy.frombuffer(held.tobytes(), numpy.uint8).reshape(len(held), -1)
    wide = numpy.zeros((len(held), -(-raw.shape[1] // 8) * 8), numpy.uint8)
    wide[:, : raw.shape[1]] = raw
    words = wide.view(numpy.uint64)
    weights = (numpy.arange(words.shape[1], dtype=numpy.uint64) * numpy.uint64(2) + numpy.uint64(1)) * ODD
    return (words * weights).sum(1, dtype=numpy.uint64)
