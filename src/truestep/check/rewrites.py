"""Sees whether making a batch writes into what the data set stores: told of the first batch of a loader's passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from zlib import crc32

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


class Rewrites:
    """Writes an `Op` "fetch wrote" with the loader, the pass and the names of what was changed."""

    def __init__(self) -> None:
        self._begun = Counter[int]()

    def before(self, recorder: Recorder, known: _Pass, iterator: Any) -> Callable[[], None]:
        """Look at a data set before a batch is made of it, in this process, and return what looks at it afterwards."""
        if known.place or known.torchs or iterator._num_workers or self._begun[known.loader] >= PASSES:
            return _nothing
        self._begun[known.loader] += 1
        with recorder.looking:
            base = iterator._dataset
            while isinstance(base, Subset):
                base = base.dataset
            held = tables(base)
            return partial(self._after, recorder, (known.loader, known.run), base, held) if held else _nothing
        return _nothing

    def _after(self, recorder: Recorder, told: tuple[int, int], base: Any, held: dict[str, int]) -> None:
        with recorder.looking:
            now = tables(base)
            names = tuple(name for name, mark in held.items() if now.get(name, mark) != mark)
            code = getattr(getattr(type(base), "__getitem__", None), "__code__", None)
            if names and code is not None:
                place = Site(code.co_filename, code.co_firstlineno, code.co_name)
                recorder.emit(Op, place, name="fetch wrote", args=(*told, names), words={}, out=(), grad=False)


def _nothing() -> None:
    pass


def tables(dataset: Any) -> dict[str, int]:
    """Digests of what a data set, or those that it is made of, holds for each item: arrays of two or more dimensions.

    Lists of arrays count too. What stands in whole numbers may be the data set's own account of its items.
    """
    found = {}
    for place, owner in enumerate((dataset, *inner(dataset))):
        for name, value in list(getattr(owner, "__dict__", {}).items())[:50]:
            several = isinstance(value, list) and len(value) >= ITEMS
            marks = [_mark(each, not several) for each in (value[:LISTED] if several else [value])]
            if None not in marks:
                found[f"{name}@{place}"] = crc32(repr(marks).encode())
    return found


def _mark(value: Any, whole: bool) -> int | None:
    """A digest of a tensor or an array of real numbers or pixels; None for anything else, and for what is large."""
    held: Any = value
    if isinstance(value, Tensor) and plain(value) and value.is_cpu and value.dtype in REAL:
        held = value.detach().resolve_neg().numpy()
    if type(held).__module__ != "numpy" or getattr(held, "ndim", 0) < 1 + whole or held.nbytes > WEIGHTY:
        return None
    return crc32(held.tobytes()) if held.dtype.kind == "f" or held.dtype.name == "uint8" else None
