"""What words of the source were worth at a moment, as far as the names of that moment tell."""

from __future__ import annotations

import ast
from functools import cache

from truestep.check.events import Names

_THROUGH = {"item", "detach", "cpu", "clone", "float", "double", "mean", "tolist", "numpy"}
_CALLS = {"float", "abs", "round"}


def worth(names: Names, words: str, whole: bool = True) -> float | None:
    """The number that these words stood for; with not `whole`, "self.best" may be anybody's attribute "best"."""
    node = _node(words)
    value = None if node is None else _value(names, node)
    if value is None and not whole and words.startswith("self."):
        held = (held for name, held in names.held.items() if name.endswith(words[4:]))
        value = next((float(each) for each in held if _real(each)), None)
    return value


def knows(names: Names, words: str) -> bool:
    """Whether these words are among the names of that moment."""
    return words in names.held


@cache
def _node(words: str) -> ast.expr | None:
    try:
        return ast.parse(words, mode="eval").body
    except SyntaxError:
        return None


def _real(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value(names: Names, node: ast.expr) -> float | None:
    if isinstance(node, ast.NamedExpr):
        return _value(names, node.target)
    if isinstance(node, ast.Constant):
        return float(node.value) if isinstance(node.value, int | float) and _real(node.value) else None
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        held = names.held.get(_path(names, node))
        if isinstance(held, tuple) and held and held[0] == "tensor" and len(held) > 3:
            held = held[3]
        return float(held) if isinstance(held, int | float) and _real(held) else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _value(names, node.operand)
        return None if value is None else -value
    if isinstance(node, ast.Call):
        return _called(names, node)
    return _reckoned(names, node) if isinstance(node, ast.BinOp) else None


def _called(names: Names, node: ast.Call) -> float | None:
    if isinstance(node.func, ast.Attribute) and node.func.attr in _THROUGH and not node.args:
        return _value(names, node.func.value)
    if isinstance(node.func, ast.Name) and node.func.id in _CALLS and len(node.args) == 1:
        value = _value(names, node.args[0])
        return abs(value) if node.func.id == "abs" and value is not None else value
    return None


def _reckoned(names: Names, node: ast.BinOp) -> float | None:
    left, right = _value(names, node.left), _value(names, node.right)
    if left is None or right is None:
        return None
    if isinstance(node.op, ast.Add):
        return left + right
    if isinstance(node.op, ast.Sub):
        return left - right
    if isinstance(node.op, ast.Mult):
        return left * right
    return left / right if isinstance(node.op, ast.Div) and right else None


def _path(names: Names, node: ast.expr) -> str:
    """The words for a place, with the worth of a name between brackets: best[metric] is best['loss']."""
    if isinstance(node, ast.Subscript):
        key = node.slice
        held = names.held.get(key.id) if isinstance(key, ast.Name) else None
        inside = repr(held) if isinstance(held, str | int | float) else ast.unparse(key)
        return f"{_path(names, node.value)}[{inside}]"
    if isinstance(node, ast.Attribute):
        return f"{_path(names, node.value)}.{node.attr}"
    return ast.unparse(node)
