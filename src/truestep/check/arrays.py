"""Arithmetic on narrow arrays of numpy's, done again in wide integers where a tensor is made of an array.

numpy cannot be watched, but where an array becomes a tensor the operands of the lines before often still have their
names: sums, differences and products of them are computed once more, and what does not fit its type is told.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from functools import cache
from types import CodeType
from typing import Any

from truestep.check import site
from truestep.check.events import Op
from truestep.check.recorder import Recorder

OPERATORS = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply"}
MOST = 1 << 22


def tell(recorder: Recorder, array: Any) -> None:
    """Write an `Op` "wraps in numpy" for each sum, difference or product that did not fit its type; once a line."""
    frame = site.frame()
    if frame is None or type(array).__module__ != "numpy":
        return
    for line, words, name, left, right in _candidates(frame.f_code):
        place = (frame.f_code.co_filename, line)
        if line <= frame.f_lineno and place not in recorder.wrapped:
            operands: list[Any] = [frame.f_locals.get(one, frame.f_globals.get(one)) for one in (left, right)]
            share = _share(name, *operands)
            if share:
                recorder.wrapped.add(place)
                where = site.Site(*place, frame.f_code.co_name)
                told = (words, str(operands[0].dtype), share)
                recorder.emit(Op, where, name="wraps in numpy", args=told, words={}, out=(), grad=False)


def _share(name: str, left: Any, right: Any) -> float:
    """The share of results that do not fit the type that numpy gives them."""
    import numpy as np

    if not (isinstance(left, np.ndarray) and isinstance(right, np.ndarray | np.integer)):
        return 0.0
    kind = np.result_type(left, right)
    if kind.kind not in "iu" or kind.itemsize > 2 or not 0 < left.size <= MOST or np.size(right) > MOST:
        return 0.0
    try:
        wide = getattr(np, name)(left.astype(np.int64), np.asarray(right).astype(np.int64))
    except ValueError:
        return 0.0
    bounds = np.iinfo(kind)
    return float(((wide < bounds.min) | (wide > bounds.max)).mean())


@cache
def _candidates(code: CodeType) -> tuple[tuple[int, str, str, str, str], ...]:
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


def _operations(scope: ast.AST) -> Iterator[tuple[int, str, str, str, str]]:
    nodes = list(_inside(scope))
    stores: dict[str, int] = {}
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            stores[node.id] = max(stores.get(node.id, 0), node.lineno)
    for node in nodes:
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            left, right = node.left, node.right
            if not (isinstance(left, ast.Name) and isinstance(right, ast.Name)):
                continue
            if max(stores.get(left.id, 0), stores.get(right.id, 0)) < node.lineno:
                yield node.lineno, ast.unparse(node), OPERATORS[type(node.op)], left.id, right.id


def _inside(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope without those of the functions and classes in it."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _inside(node)
