"""Functions that build a generator, or seed one, each time they are called: what they draw is the same each time."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from truestep.check.rules._source import functions, scope_of, tree_of
from truestep.check.site import Site

BUILDS = {"default_rng", "RandomState", "Random", "manual_seed", "seed"}
DEEP = 2


def builders(sites: Iterable[Site], apart: Iterable[Site]) -> set[Site]:
    """The lines that build a generator from a seed, in the functions that these lines stand in, or call.

    `apart` are lines further on: a function around one of them was not called anew for what the others made.
    """
    outer = [place for site in apart for place in (site.place, *site.callers)]
    found = set[Site]()
    for site in sites:
        for file, line in (site.place, *site.callers[:DEEP]):
            tree = tree_of(file)
            if tree is None:
                continue
            near = [each for each in functions(tree) if _around(each, line)] if (file, line) == site.place else []
            for each in _with_called(tree, [*near, *_called(tree, _statements(tree, line))]):
                if not any(file == other and _around(each, at) for other, at in outer):
                    found |= {Site(file, at, each.name) for at in _built(each)}
    return found


def _around(node: ast.AST, line: int) -> bool:
    return getattr(node, "lineno", 0) <= line <= (getattr(node, "end_lineno", 0) or 0)


def _statements(tree: ast.Module, line: int) -> list[ast.AST]:
    """The statement on a line, of a loop only what it runs over, and what the names in it were given nearby."""
    around = [each for each in ast.walk(tree) if isinstance(each, ast.stmt) and _around(each, line)]
    inner = max(around, key=lambda each: each.lineno, default=None)
    own = [] if inner is None else [each for each in ast.iter_child_nodes(inner) if isinstance(each, ast.expr)]
    names = {each.id for node in own for each in ast.walk(node) if isinstance(each, ast.Name)}
    given: list[ast.AST] = []
    for node in ast.walk(scope_of(tree, line)):
        targets = [each for to in node.targets for each in ast.walk(to)] if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.Assign) and names & {each.id for each in targets if isinstance(each, ast.Name)}:
            given.append(node.value)
    return [*own, *given]


def _with_called(tree: ast.Module, nodes: list[ast.FunctionDef | ast.AsyncFunctionDef]) -> list[ast.FunctionDef]:
    """Functions, and those that they call."""
    inside = [each for node in nodes for each in _called(tree, [node])]
    return [each for each in dict.fromkeys([*nodes, *inside]) if isinstance(each, ast.FunctionDef)]


def _called(tree: ast.Module, nodes: list[ast.AST]) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of a file that are called there, by their names, or as the objects that names stand for."""
    calls = [each.func for node in nodes for each in ast.walk(node) if isinstance(each, ast.Call)]
    names = {each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "") for each in calls}
    kinds = {kind for name, kind in _objects(tree) if name in names}
    classes = [each for each in ast.walk(tree) if isinstance(each, ast.ClassDef) and each.name in kinds]
    methods = {
        inner for each in classes for inner in each.body if getattr(inner, "name", "") in ("__call__", "forward")
    }
    return [each for each in functions(tree) if each.name in names or each in methods]


def _objects(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What is made by one call, by its last name: `self.augment = Augment(...)`, and one by one in a tuple."""
    for node in ast.walk(tree):
        for target in node.targets if isinstance(node, ast.Assign) else ():
            assert isinstance(node, ast.Assign)
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            for name, value in pairs:
                if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
                    yield getattr(name, "attr", getattr(name, "id", "")), value.func.id


def _built(function: ast.FunctionDef) -> Iterator[int]:
    """The lines of a function that always build or seed a generator with something."""
    for node in _always(function):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in BUILDS and (node.args or node.keywords):
            yield node.lineno


def _always(node: ast.AST) -> Iterator[ast.Call]:
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.If | ast.IfExp | ast.BoolOp | ast.FunctionDef | ast.Lambda | ast.Try):
            continue
        if isinstance(inner, ast.Call):
            yield inner
        yield from _always(inner)
