"""The line where a mean is made of what a loop adds up: numbers prove the mistake, the source says where it stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from truestep.check.rules._readings import Figure
from truestep.check.rules._source import scope_of, tree_of
from truestep.check.site import Site

MEANS = ("mean", "fmean", "average", "nanmean")


def dividing(figure: Figure) -> Site:
    """Where the readings of a figure are divided: the only such line, or the one that gives the figure its name.

    Where the source does not tell, the line of the readings themselves.
    """
    site = figure.readings[0].site
    for file, line in (site.place, *site.callers):
        tree = tree_of(file)
        if tree is None:
            continue
        scope = scope_of(tree, line)
        for name in _collectors(scope, line):
            whole = scope if "." not in name else tree  # an attribute is divided in another method
            lines = sorted(_quotients(whole, name))
            if lines:
                called = figure.name.partition("[")[0].rpartition(".")[2]
                named = [at for at, words in lines if called in words] or [at for at, _ in lines]
                later = [at for at in named if at >= line] or named
                return Site(file, later[0], getattr(scope, "name", "<module>"))
    return site


def _collectors(scope: ast.AST, line: int) -> Iterator[str]:
    """What the statement of a line adds to, appends to, or is collected in."""
    for node in ast.walk(scope):
        if not isinstance(node, ast.stmt) or not node.lineno <= line <= (node.end_lineno or node.lineno):
            continue
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
            yield ast.unparse(node.target)
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = ast.unparse(node.targets[0])
            grows = any(ast.unparse(each) == target for each in ast.walk(node.value) if isinstance(each, ast.expr))
            if grows or isinstance(node.value, ast.ListComp):
                yield target
            elif target.isidentifier():
                yield from _fed(scope, target)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = node.value.func
            if isinstance(called, ast.Attribute) and called.attr == "append":
                yield ast.unparse(called.value)


def _fed(scope: ast.AST, name: str) -> Iterator[str]:
    """What is added to, or appended to, from a name: `value = loss.item()` and later `total += value`."""
    for node in ast.walk(scope):
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add) and _mentions(node.value, name):
            yield ast.unparse(node.target)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
            yield from [ast.unparse(node.func.value)] if any(_mentions(each, name) for each in node.args) else []


def _mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(each, ast.Name | ast.Attribute) and ast.unparse(each) == name for each in ast.walk(node))


def _quotients(scope: ast.AST, name: str) -> Iterator[tuple[int, str]]:
    """The lines where this name is divided or averaged, with the words of the statement's targets or its callee."""
    for node in ast.walk(scope):
        if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.For | ast.While):
            inner = [node] if not hasattr(node, "body") else []
            for each in (one for top in inner for one in ast.walk(top)):
                if _divides(each, name):
                    targets = [*getattr(node, "targets", []), getattr(node, "target", None)]
                    words = " ".join(ast.unparse(one) for one in targets if one is not None)
                    yield getattr(each, "lineno", node.lineno), words or ast.unparse(node)


def _divides(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _mentions(node.left, name)
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div):
        return ast.unparse(node.target) == name
    if not isinstance(node, ast.Call):
        return False
    callee = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    own = isinstance(node.func, ast.Attribute) and _mentions(node.func.value, name)
    return callee in MEANS and (own or any(_mentions(each, name) for each in node.args))
