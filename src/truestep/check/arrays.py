"""Arithmetic on narrow arrays of numpy's, done again in wide integers where a tensor is made of an array.

numpy cannot be watched, but where an array becomes a tensor the operands of the lines before often still have their
names: sums, differences and products of them are computed once more, and what does not fit its type is told.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from functools import cache
from types import CodeType, FrameType
from typing import Any, NamedTuple

from truestep.check import site
from truestep.check.events import Op
from truestep.check.recorder import Recorder
from truestep.check.sources import drawn

OPERATORS = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply"}
MOST = 1 << 22


def tell(recorder: Recorder, array: Any) -> None:
    """Write an `Op` "wraps in numpy" for each sum, difference or product that did not fit its type; once a line."""
    frame = site.frame()
    if frame is None or type(array).__module__ != "numpy":
        return
    drawn(recorder, array)
    for line, last, words, name, left, right in _candidates(frame.f_code):
        place = (frame.f_code.co_filename, line)
        if line <= frame.f_lineno <= last and place not in recorder.wrapped:
            operands: list[Any] = [one.of(frame) for one in (left, right)]
            share = _share(name, *operands)
            if share:
                recorder.wrapped.add(place)
                where = site.Site(*place, frame.f_code.co_name)
                told = (words, str(operands[0].dtype), share)
                recorder.emit(Op, where, name="wraps in numpy", args=told, words={}, out=(), grad=False)


def _share(name: str, left: Any, right: Any) -> float:
    """The share of results that do not fit the type that numpy gives them."""
    import numpy as np

    if not isinstance(left, np.ndarray) or not (
        isinstance(right, np.ndarray | np.integer) or (isinstance(right, int) and not isinstance(right, bool))
    ):
        return 0.0
    try:
        kind = np.result_type(left, right)
    except OverflowError:  # a number that numpy refuses
        return 0.0
    if kind.kind not in "iu" or kind.itemsize > 2 or not 0 < left.size <= MOST or np.size(right) > MOST:
        return 0.0
    try:
        wide = getattr(np, name)(left.astype(np.int64), np.asarray(right).astype(np.int64))
    except ValueError:
        return 0.0
    bounds = np.iinfo(kind)
    return float(((wide < bounds.min) | (wide > bounds.max)).mean())


class Operand(NamedTuple):
    """A name, a plain slice of what a name stands for, or (without a name) a whole number."""

    name: str
    cut: tuple[slice, ...] = ()
    number: int = 0

    def of(self, frame: FrameType) -> Any:
        """What it stands for now; None where that is no array, and so cannot be cut."""
        if not self.name:
            return self.number
        held: Any = frame.f_locals.get(self.name, frame.f_globals.get(self.name))
        if not self.cut:
            return held
        array = type(held).__module__ == "numpy" and getattr(held, "ndim", 0) >= len(self.cut)
        return held[self.cut] if array else None


Operation = tuple[int, int, str, str, Operand, Operand]
"""Its line, the last line that is reached only through it, its source, numpy's name for it, and what it joins."""


@cache
def _candidates(code: CodeType) -> tuple[Operation, ...]:
    """The operations of two names in a function (or a file), whose operands are set on earlier lines only."""
    try:
        tree = ast.parse("".join(linecache.getlines(code.co_filename)))
    except (SyntaxError, ValueError):
        return ()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    scope: Any = next(
        (node for node in ast.walk(tree) if isinstance(node, kinds)
         and code.co_firstlineno in (node.lineno, *(each.lineno for each in node.decorator_list))
         and node.name == code.co_name),
        tree if code.co_name == "<module>" else None,
    )  # fmt: skip
    return () if scope is None else tuple(_operations(scope))


def _operations(scope: ast.AST) -> Iterator[Operation]:
    nodes = list(_inside(scope))
    stores: dict[str, int] = {}
    blocks = list(_blocks(nodes))
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            stores[node.id] = max(stores.get(node.id, 0), node.lineno)
    for node in nodes:
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            left, right = _operand(node.left), _operand(node.right)
            if left is None or right is None or not left.name:
                continue
            if max(stores.get(left.name, 0), stores.get(right.name, 0)) < node.lineno:
                last = min((upto for first, end, upto in blocks if first <= node.lineno <= end), default=MOST)
                yield node.lineno, last, ast.unparse(node), OPERATORS[type(node.op)], left, right


def _blocks(nodes: list[ast.AST]) -> Iterator[tuple[int, int, int]]:
    """The first and last lines of what may be left out, and up to which line it surely was not."""
    for node in nodes:
        if isinstance(node, ast.If | ast.ExceptHandler):
            for block in (node.body, getattr(node, "orelse", [])):
                if block:
                    last = block[-1].end_lineno or block[-1].lineno
                    yield block[0].lineno, last, last
        elif isinstance(node, ast.IfExp | ast.Lambda):
            yield node.lineno, node.end_lineno or node.lineno, 0  # nobody knows whether it ran


def _operand(node: ast.expr) -> Operand | None:
    """What can be looked up without running anything of the user's."""
    if isinstance(node, ast.Name):
        return Operand(node.id)
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return Operand("", number=node.value)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        cuts = [_cut(each) for each in parts]
        return None if None in cuts else Operand(node.value.id, tuple(each for each in cuts if each is not None))
    return None


def _cut(node: ast.expr) -> slice | None:
    """A slice between whole numbers."""
    if not isinstance(node, ast.Slice):
        return None
    try:
        ends = [None if end is None else ast.literal_eval(end) for end in (node.lower, node.upper, node.step)]
    except ValueError:
        return None
    return slice(*ends) if all(end is None or type(end) is int for end in ends) else None


def _inside(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope without those of the functions and classes in it."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _inside(node)
