"""Arithmetic on narrow arrays of numpy's, done again in wide integers while numpy does it.

numpy tells nobody when a sum does not fit. But its arithmetic on bytes is three functions for each type, and its C
interface has a call to put another one in their place (`PyUFunc_ReplaceLoopBySignature`): ours does the same sum in 64
bits, and then lets numpy's own do its work. After a while numpy's own are put back for good.
"""

from __future__ import annotations

import _thread
import ast
import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ctypes import POINTER, c_int, c_ssize_t, c_void_p
from pathlib import Path
from types import FrameType
from typing import Any

from truestep.check import site
from truestep.check.events import Op
from truestep.check.recorder import Recorder

LOOKS, MOST = 2000, 1 << 16
"""Stretches of a narrow array that are looked at for one function and type, and how much of each."""
KINDS = {"int8": 1, "uint8": 2, "int16": 3, "uint16": 4}
"""numpy's own numbers for its types."""
SIGNS = {"add": ast.Add, "subtract": ast.Sub, "multiply": ast.Mult}
REPLACE = 30
"""Where `PyUFunc_ReplaceLoopBySignature` stands in the table of numpy's C interface, which only ever grows."""
BOTH_WAYS = {"where", "minimum", "maximum", "fmin", "fmax", "select", "choose"}
"""Calls that leave out of two results the one that wrapped."""
COUNTS = {"bincount", "unique"}
"""Calls that count whole numbers by their kind."""

_LOOP = ctypes.CFUNCTYPE(None, POINTER(c_void_p), POINTER(c_ssize_t), POINTER(c_ssize_t), c_void_p)
_ours: list[Any] = []  # numpy may be in the midst of one when it is taken out: none is ever let go


@contextmanager
def watched(recorder: Recorder) -> Iterator[None]:
    """Inside, a line whose sums, differences or products leave their narrow type is told, once."""
    loops: list[_Narrow] = []
    with suppress(AttributeError, TypeError, ValueError, OSError):  # a numpy without that interface
        loops += [_Narrow(recorder, name, kind) for name in SIGNS for kind in KINDS] if "numpy" in sys.modules else []
    try:
        yield
    finally:
        for each in loops:
            each.restore()


class _Narrow:
    """One function of numpy's for one type, with ours in its place."""

    def __init__(self, recorder: Recorder, name: str, kind: str) -> None:
        import numpy as np

        self._recorder: Recorder | None = recorder
        self._name, self._kind, self._looks = name, kind, 0
        self._of, self._numpy, self._bounds = getattr(np, name), np, np.iinfo(kind)
        self._here = f"{Path(np.__file__).parent}{os.sep}"
        self._call = _LOOP(self._around)
        _ours.append(self._call)
        was = _replaced(np, self._of, KINDS[kind], ctypes.cast(self._call, c_void_p).value)
        self._was = None if was is None else _LOOP(was)

    def restore(self) -> None:
        """Put numpy's own back, once, and let go of the record: the function itself stays for good."""
        recorder, self._recorder = self._recorder, None
        if self._was is not None and recorder is not None:
            _replaced(self._numpy, self._of, KINDS[self._kind], ctypes.cast(self._was, c_void_p).value)

    def _around(self, places: Any, lengths: Any, strides: Any, own: Any) -> None:
        """What numpy calls: places, lengths and strides of both operands and the result."""
        again, recorder = False, self._recorder
        try:
            if recorder is not None and recorder.awake:
                self._looks += 1
                with recorder.looking:
                    self._look(recorder, places[:3], lengths[0], strides[:3], sys._getframe(1))
            if self._looks >= LOOKS or (recorder is not None and not recorder.live):  # as in a forked worker
                self.restore()
        except KeyboardInterrupt:  # nothing gets out of a function that C calls
            again = True
        self._was(places, lengths, strides, own)  # type: ignore[misc]
        if again:
            _thread.interrupt_main()

    def _look(
        self, recorder: Recorder, places: list[int], length: int, strides: list[int], frame: FrameType | None
    ) -> None:
        while frame is not None and frame.f_code.co_filename.startswith(self._here):
            frame = frame.f_back
        if frame is None or not site.users(frame.f_code):
            return  # a library's own, as its hashes
        where = site.Site(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        if where.place in recorder.wrapped or 0 < abs(places[2] - places[0]) < length * abs(strides[2]):
            return
        if places[0] == places[2] and not strides[0]:  # a reduction
            return
        np = self._numpy
        left, right = (
            np.asarray(_Memory(place, min(length, MOST), stride, np.dtype(self._kind).str)).astype(np.int64)
            for place, stride in zip(places[:2], strides[:2], strict=True)
        )
        wide = self._of(left, right)
        share = float(((wide < self._bounds.min) | (wide > self._bounds.max)).mean())
        if share:
            recorder.wrapped.add(where.place)
            words = _meant(where, SIGNS[self._name])
            if words is not None:
                told = (words or f"{self._name} of arrays", self._kind, share)
                recorder.emit(Op, where, name="wraps in numpy", args=told, words={}, out=(), grad=False)


class _Memory:
    """So many elements of numpy's memory, as it asks for them."""

    def __init__(self, place: int, length: int, stride: int, kind: str) -> None:
        self.__array_interface__ = {
            "data": (place, True), "shape": (length,), "strides": (stride,), "typestr": kind, "version": 3,
        }  # fmt: skip


def _replaced(np: Any, function: Any, kind: int, other: int | None) -> int | None:
    """Put another loop in the place of a function's for one type, and return what stood there; None where none did."""
    signature = ctypes.PYFUNCTYPE(c_void_p, ctypes.py_object, ctypes.c_char_p)
    pointer = signature(("PyCapsule_GetPointer", ctypes.pythonapi))  # our own: others may have set the shared one up
    core = np._core if hasattr(np, "_core") else np.core
    table = ctypes.cast(pointer(core._multiarray_umath._UFUNC_API, None), POINTER(c_void_p))
    replace = ctypes.PYFUNCTYPE(c_int, ctypes.py_object, c_void_p, POINTER(c_int), POINTER(c_void_p))(table[REPLACE])
    was = c_void_p()
    failed = replace(function, other, (c_int * 3)(kind, kind, kind), ctypes.byref(was))
    return None if failed else was.value


SIGNED = ("int8", "int16")
HASHED = 100  # a factor that leaves room for 0, 1 and 2 alone


def _scatters(node: ast.AST) -> bool:
    """Whether this multiplies by an odd number that is made narrow on purpose, as hashes do: `key * np.uint8(167)`."""
    for side in (node.left, node.right) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) else ():
        if isinstance(side, ast.Call) and getattr(side.func, "attr", "").lstrip("u").startswith("int") and side.args:
            value = getattr(side.args[0], "value", None)
            if isinstance(value, int) and value % 2 and value > HASHED:
                return True
    return False


def _meant(where: site.Site, sign: type[ast.operator]) -> str | None:
    """The operation in the words of the source, empty where they do not tell; None where it is meant to wrap.

    Meant are those of which a remainder or some bits are taken, those of which the ones that fit are chosen, those that
    are mended where they wrapped, as `total[total < image] = 255`, those that are places or are counted, as hashes,
    products with a narrow odd number, and differences that are read with a sign, `step.view(np.int8)`.
    """
    from truestep.check.rules._source import scope_of, tree_of

    tree = tree_of(where.file)
    if tree is None:
        return ""
    scope = scope_of(tree, where.line)
    above = {child: node for node in ast.walk(scope) for child in ast.iter_child_nodes(node)}
    found = [
        node for node in ast.walk(scope)
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, sign)
        and node.lineno <= where.line <= (node.end_lineno or node.lineno)
    ]  # fmt: skip
    mended = {
        each.value.id for each in ast.walk(scope)
        if isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Store) and isinstance(each.value, ast.Name)
        and any(isinstance(inner, ast.Compare) for inner in ast.walk(each.slice))
    }  # fmt: skip
    mended |= _places(scope)
    if any(_scatters(node) for node in found):
        return None
    for node in found:
        one: ast.AST | None = node
        while one is not None and not isinstance(one, ast.stmt):
            one = above.get(one)
            if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mod | ast.BitAnd):
                return None
            if isinstance(one, ast.Call) and getattr(one.func, "attr", getattr(one.func, "id", "")) in BOTH_WAYS:
                return None
        targets = getattr(one, "targets", [getattr(one, "target", None)])
        if any(isinstance(each, ast.Name) and each.id in mended for each in targets):
            return None
    return ast.unparse(found[0]) if len(found) == 1 else ""


def _places(scope: ast.AST) -> set[str]:
    """The names that stand for places in a table, for what is counted by its kind, or for bits that are read anew."""
    indices = [node.slice for node in ast.walk(scope) if isinstance(node, ast.Subscript)]
    calls = [node for node in ast.walk(scope) if isinstance(node, ast.Call)]
    counted = [node.args[0] for node in calls if node.args and getattr(node.func, "attr", "") in COUNTS]
    signed = [
        node.func.value for node in calls
        if isinstance(node.func, ast.Attribute) and node.func.attr == "view" and len(node.args) == 1
        and getattr(node.args[0], "attr", getattr(node.args[0], "value", "")) in SIGNED
    ]  # fmt: skip
    return {each.id for each in (*indices, *counted, *signed) if isinstance(each, ast.Name)}
