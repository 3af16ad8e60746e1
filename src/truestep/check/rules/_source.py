"""What the user's source says of comparisons and assignments. It supports what numbers prove, and places it."""

from __future__ import annotations

import ast
import linecache
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

_INNER = (".item()", ".detach()", ".clone()", ".cpu()")


class Test(NamedTuple):
    """A comparison in the words of the source: whether it holds where `left` is the smaller.

    `sets` is the side that a function which makes it gives the other side to, as a method `improved(value)` does.
    """

    left: str
    right: str
    less: bool
    sets: str = ""


_parsed: dict[str, tuple[list[str], ast.Module | None]] = {}


def tree_of(file: str) -> ast.Module | None:
    """The parsed source of a file, as it was when a line of it was first asked for; None where there is none."""
    lines = linecache.getlines(file)
    known = _parsed.get(file)
    if known is None or known[0] != lines:  # a file may be edited between two watches of one session
        known = _parsed[file] = lines, _parse(lines)
    return known[1]


def _parse(lines: list[str]) -> ast.Module | None:
    try:
        return ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return None


@lru_cache(maxsize=64)  # a file of thousands of lines is asked about again for each `if` in it
def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a file."""
    return [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]


def scope_of(tree: ast.Module, line: int) -> ast.AST:
    """The innermost function around a line, or the file."""
    around = [each for each in functions(tree) if each.lineno <= line <= (each.end_lineno or 0)]
    return max(around, key=lambda each: each.lineno, default=tree)


def compared(tree: ast.Module, scope: ast.AST, test: ast.expr) -> Iterator[tuple[Test, bool]]:
    """The comparisons that a test makes: in itself, by names that stand for some (True), in functions that it calls."""
    for node in ast.walk(test):
        if isinstance(node, ast.Compare):
            yield from ((each, False) for each in _tests(node))
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            for given in _given(scope, ast.unparse(node)):
                yield from ((each, True) for each in tests_of(given))
                yield from ((each, True) for call in _calls(given) for each in _of_call(tree, call))
        elif isinstance(node, ast.Call):
            yield from ((each, False) for each in _of_call(tree, node))


def _tests(node: ast.Compare) -> Iterator[Test]:
    if len(node.ops) == 1 and isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
        less = isinstance(node.ops[0], ast.Lt | ast.LtE)
        yield Test(_words(node.left), _words(node.comparators[0]), less)


def tests_of(node: ast.AST) -> list[Test]:
    """All comparisons in an expression."""
    return [each for inner in ast.walk(node) if isinstance(inner, ast.Compare) for each in _tests(inner)]


def _calls(node: ast.AST) -> list[ast.Call]:
    return [each for each in ast.walk(node) if isinstance(each, ast.Call)]


def _given(scope: ast.AST, words: str) -> list[ast.expr]:
    """What a name is given in a function, where that compares something."""
    return _assignments(scope).get(words, [])


@lru_cache(maxsize=256)
def _assignments(scope: ast.AST) -> dict[str, list[ast.expr]]:
    """What is given to each target in a function."""
    found: dict[str, list[ast.expr]] = defaultdict(list)
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign):
            for words in dict.fromkeys(map(ast.unparse, node.targets)):
                found[words].append(node.value)
    return dict(found)


def _of_call(tree: ast.Module, call: ast.Call) -> Iterator[Test]:
    """The comparisons by which a function of the same file says yes, in the words of whoever calls it."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    known = any(getattr(node, "name", "") == name for node in functions(tree))
    if len(call.args) == 2 and not call.keywords and not known:  # such as operator.lt, by whatever name
        yield from (Test(_words(call.args[0]), _words(call.args[1]), less) for less in (True, False))
    for node in functions(tree):
        if not isinstance(node, ast.FunctionDef) or node.name != name:
            continue
        words = [each.arg for each in node.args.args]
        terms: dict[str, str] = {}
        if isinstance(call.func, ast.Attribute) and words[:1] == ["self"]:
            terms["self"], words = ast.unparse(call.func.value), words[1:]
        terms |= {word: ast.unparse(given) for word, given in zip(words, call.args, strict=False)}
        terms |= {given.arg: ast.unparse(given.value) for given in call.keywords if given.arg}
        pairs = [pair for statement in node.body for pair in assigned(statement, deep=True)]
        for test in _answers(node):
            ways = ((test.left, test.right), (test.right, test.left))
            sets = [one for one, other in ways if any(to == one and mentions(given, other) for to, given in pairs)]
            yield Test(
                _put(test.left, terms), _put(test.right, terms), test.less, _put("".join(sets[:1]) or "None", terms)
            )


def _answers(function: ast.FunctionDef) -> Iterator[Test]:
    """The comparisons that a function returns, by name too, and those below which it returns True, or the reverse."""
    for inner in ast.walk(function):
        if isinstance(inner, ast.Return) and inner.value is not None:
            yield from tests_of(inner.value)
            if isinstance(inner.value, ast.Name):
                yield from (test for given in _given(function, inner.value.id) for test in tests_of(given))
        elif isinstance(inner, ast.If) and isinstance(inner.body[-1], ast.Return):
            said = getattr(inner.body[-1].value, "value", None)
            if said is True or said is False:
                tests = tests_of(inner.test)
                yield from (test if said else test._replace(less=not test.less) for test in tests)


def _put(words: str, terms: dict[str, str]) -> str:
    """Words with the names of a function's arguments replaced by what was given."""
    tree = ast.parse(words, mode="eval")

    class Put(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return ast.parse(terms[node.id], mode="eval").body if node.id in terms else node

    return ast.unparse(Put().visit(tree).body)


def _words(node: ast.expr) -> str:
    return ast.unparse(node.target if isinstance(node, ast.NamedExpr) else node)


def bare(words: str) -> str:
    """The words without what only turns a tensor into its number."""
    for end in _INNER:
        words = words.replace(end, "")
    return words[6:-1] if words.startswith("float(") and words.endswith(")") else words


def mentions(words: str, part: str) -> bool:
    """Whether an expression has another one in it."""
    try:
        tree = ast.parse(words, mode="eval")
    except SyntaxError:
        return False
    return any(isinstance(each, ast.expr) and bare(ast.unparse(each)) == part for each in ast.walk(tree))


def assigned(statement: ast.stmt, deep: bool = False) -> Iterator[tuple[str, str]]:
    """The pairs `target = value` of a statement that always runs, those of tuples one by one; `deep`: of all inside."""
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        yield ast.unparse(statement.target), ast.unparse(statement.value)
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            pairs: list[tuple[ast.expr, ast.expr]] = [(target, statement.value)]
            if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
                pairs = list(zip(target.elts, statement.value.elts, strict=False))
            for one, given in pairs:
                yield ast.unparse(one), ast.unparse(given)
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        yield from _updated(statement.value)
    elif deep or isinstance(statement, ast.With | ast.Try):
        for inner in _blocks(statement):
            yield from assigned(inner, deep)


def _updated(call: ast.Call) -> Iterator[tuple[str, str]]:
    """`best.update(loss=value)`, `setattr(self, "best", value)` and `best.__setitem__("loss", value)`."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("update", "fill_", "copy_"):
        owner = ast.unparse(call.func.value)
        for word in call.keywords:
            yield f"{owner}[{word.arg!r}]", ast.unparse(word.value)
        for given in call.args:
            if isinstance(given, ast.Dict):
                for key, value in zip(given.keys, given.values, strict=True):
                    if key is not None:
                        yield f"{owner}[{ast.unparse(key)}]", ast.unparse(value)
            else:
                yield owner, ast.unparse(given)


def _blocks(statement: ast.stmt) -> Iterator[ast.stmt]:
    for name in ("body", "orelse", "finalbody"):
        yield from getattr(statement, name, [])
