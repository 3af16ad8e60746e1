"""Comparisons whose outcome a function is handed: `save(state, value > best)`, with `if is_best:` inside."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from truestep.check.rules._source import Test, scope_of, tests_of


def handed(tree: ast.Module, scope: ast.AST, test: ast.expr) -> Iterator[tuple[Test, bool, ast.stmt, ast.AST]]:
    """The comparisons that stand behind a parameter which a test asks for, at each call of the function around it.

    With each: whether it has a name where the call is, the statement that makes it, and the function around that.
    """
    if not isinstance(test, ast.Name) or not isinstance(scope, ast.FunctionDef):
        return
    for statement, given in _given(tree, scope, test.id):
        around = scope_of(tree, statement.lineno)
        for each in tests_of(given):
            yield each, False, statement, around
        for made in ast.walk(around) if isinstance(given, ast.Name) else ():
            if isinstance(made, ast.Assign) and ast.unparse(given) in map(ast.unparse, made.targets):
                yield from ((each, True, made, around) for each in tests_of(made.value))


def _given(tree: ast.Module, function: ast.FunctionDef, word: str) -> Iterator[tuple[ast.stmt, ast.expr]]:
    """What each call of a function in its file gives for one of its parameters, with the statement that calls."""
    words = [each.arg for each in function.args.args]
    if word not in words:
        return
    for statement in ast.walk(tree):
        if not isinstance(statement, ast.Expr | ast.Assign):
            continue
        for call in ast.walk(statement):
            method = isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
            name = getattr(call.func, "attr" if method else "id", "") if isinstance(call, ast.Call) else ""
            if isinstance(call, ast.Call) and name == function.name:
                place = words.index(word) - (method and words[0] == "self")
                by_name = [each.value for each in call.keywords if each.arg == word]
                yield from ((statement, given) for given in [*call.args[place : place + 1], *by_name])
