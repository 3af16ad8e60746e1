"""Conversions of numpy's arrays to narrow integers, which tell nobody what they had no room for.

`array.astype(np.uint8)` is a method of a type written in C, whose names Python shows and does not let anyone change.
But they stand in a dict like any other, and the type can be told that it was changed (`PyType_Modified`): ours looks at
the numbers first and then lets numpy's own do its work. After a while numpy's own is put back for good.
"""

from __future__ import annotations

import ast
import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from truestep.check import site
from truestep.check.events import Op
from truestep.check.patches import called
from truestep.check.recorder import Recorder

CALLS, LOOKS = 20_000, 1000
"""Conversions of a run that pass through here, and those to narrow integers that are looked at."""
LEAST, LARGEST = 2, 1 << 20
KINDS = {"int8", "uint8", "int16", "uint16"}
BITS = (ast.Mod, ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift)


@contextmanager
def watched(recorder: Recorder) -> Iterator[None]:
    """Inside, a line that converts numbers to a type without room for them, or makes them all alike, is told, once."""
    casts = _Casts(recorder) if "numpy" in sys.modules else None
    try:
        yield
    finally:
        if casts is not None:
            casts.restore()


class _Casts:
    """numpy's `astype` with ours in its place."""

    def __init__(self, recorder: Recorder) -> None:
        import numpy as np

        self._recorder, self._numpy = recorder, np
        self._calls = self._looks = 0
        self._was: Any = np.ndarray.astype
        look = self._look

        def astype(array: Any, /, *args: Any, **words: Any) -> Any:
            caller = sys._getframe(1)
            look(array, args[0] if args else words.get("dtype"), caller)
            return called(self._was, caller)(array, *args, **words)

        astype.__doc__ = self._was.__doc__
        self._put(astype)

    def _put(self, function: Any) -> None:
        names = gc.get_referents(self._numpy.ndarray.__dict__)
        if len(names) == 1 and type(names[0]) is dict and "astype" in names[0]:
            names[0]["astype"] = function
            ctypes.pythonapi.PyType_Modified(ctypes.py_object(self._numpy.ndarray))

    def restore(self) -> None:
        """Put numpy's own back."""
        self._put(self._was)

    def _look(self, array: Any, kind: Any, frame: FrameType) -> None:
        recorder, np = self._recorder, self._numpy
        self._calls += 1
        if self._calls > CALLS or self._looks > LOOKS or not recorder.live:
            self.restore()
        elif recorder.awake and array.dtype.kind in "fiu" and site.users(frame.f_code):
            with recorder.looking:
                name = np.dtype(kind).name
                if name in KINDS and name != array.dtype.name and LEAST <= array.size <= LARGEST:
                    self._looks += 1
                    self._tell(array, name, site.Site(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))

    def _tell(self, array: Any, name: str, where: site.Site) -> None:
        recorder, np = self._recorder, self._numpy
        low, high, bounds = float(array.min()), float(array.max()), np.iinfo(name)
        if where.place in recorder.wrapped or not np.isfinite([low, high]).all():
            return
        whole = array.dtype.kind != "f" or bool((array == np.trunc(array)).all())
        outside = float(((array <= bounds.min - 1) | (array >= bounds.max + 1)).mean())
        between = 0.0 if whole or max(-low, high) > 1 or low == high else float((abs(array) % 1 != 0).mean())
        if (outside and not (whole and low == -1 and high <= bounds.max) and not _bits(where)) or between > 0.5:
            recorder.wrapped.add(where.place)
            told = (name, low, high, outside, between, whole)
            recorder.emit(Op, where, name="converts in numpy", args=told, words={}, out=(), grad=False)


def _bits(where: site.Site) -> bool:
    """Whether the statement reckons with bits or remainders: what is left of a number is what is meant."""
    from truestep.check.rules._source import tree_of

    tree = tree_of(where.file)
    if tree is None:
        return False
    around = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and not hasattr(node, "body")
        and node.lineno <= where.line <= (node.end_lineno or node.lineno)
    ]  # fmt: skip
    return any(
        isinstance(each, ast.BinOp | ast.AugAssign) and isinstance(each.op, BITS)
        for one in around for each in ast.walk(one)
    )  # fmt: skip
