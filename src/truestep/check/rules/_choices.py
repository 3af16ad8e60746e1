"""Where a program chooses one of many by a figure: `min(kept, key=...)`, `np.argmax(losses)`, `sorted(runs)[0]`.

The source says which table is asked, by which column, and for its least or its greatest; the table is in the record.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from truestep.check.events import Names
from truestep.check.rules._source import tree_of
from truestep.check.site import Site
from truestep.check.trace import Trace

LEAST = {"min", "argmin", "nanargmin", "nsmallest", "idxmin"}
GREATEST = {"max", "argmax", "nanargmax", "nlargest", "idxmax"}

ORDERS = {"sorted", "sort", "argsort", "sort_values", "heappush", "heappushpop", "heapreplace", "topk"}


class Choice(NamedTuple):
    """A call that takes the `greatest` or the least of what the places of these words hold, one column of a table."""

    site: Site
    columns: tuple[str, ...]
    greatest: bool


class Column(NamedTuple):
    """The numbers of a column as they stood last, each with the event of the first names that held it."""

    words: str
    numbers: tuple[tuple[int, float], ...]


def choices(trace: Trace) -> Iterator[Choice]:
    """Every such call in the user's files."""
    for file in sorted({event.site.file for event in trace.events if event.site.file}):
        tree = tree_of(file)
        for node in ast.walk(tree) if tree is not None else ():
            found = _of_call(node) if isinstance(node, ast.Call) else _of_sorted(node)
            if found is not None:
                columns, greatest = found
                yield Choice(Site(file, getattr(node, "lineno", 1)), tuple(dict.fromkeys(columns)), greatest)


def sorts(trace: Trace) -> bool:
    """Whether the user's files take the least or the greatest of anything, or put it in order."""
    trees = map(tree_of, {event.site.file for event in trace.events if event.site.file})
    calls = (node.func for tree in trees if tree for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(getattr(each, "attr", getattr(each, "id", "")) in LEAST | GREATEST | ORDERS for each in calls)


def column(trace: Trace, words: str) -> Column | None:
    """What a column held, where it grew by one number after another."""
    found: list[tuple[int, float]] = []
    for names in trace.of(Names):
        held = _numbers(names, words)
        if held is None:
            continue
        if [value for _, value in found] != held[: len(found)]:
            found = []  # another table by the same name
        found += [(names.n, value) for value in held[len(found) :]]
    return Column(words, tuple(found)) if found else None


def _numbers(names: Names, words: str) -> list[float] | None:
    held = names.held.get(words)
    if not isinstance(held, tuple) or held[:1] != ("list",) or held[1] != len(held[2]):
        return None
    return [float(value) for value in held[2]]


def _of_call(node: ast.Call) -> tuple[list[str], bool] | None:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name not in LEAST | GREATEST:
        return None
    tables = [each for each in node.args if not isinstance(each, ast.Constant)]
    if not tables and isinstance(node.func, ast.Attribute):
        tables = [node.func.value]  # np.array(losses).argmin()
    key = next((word.value for word in node.keywords if word.arg == "key"), None)
    columns, turned = _columns(tables[0], key) if tables else ([], False)
    return (columns, (name in GREATEST) != turned) if columns else None


def _of_sorted(node: ast.AST) -> tuple[list[str], bool] | None:
    """`sorted(table, key=..., reverse=...)[0]` or `[-1]`."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Call):
        return None
    call, place = node.value, ast.unparse(node.slice)
    if getattr(call.func, "id", "") != "sorted" or place not in ("0", "-1") or not call.args:
        return None
    words = {word.arg: word.value for word in call.keywords}
    falls = isinstance(back := words.get("reverse"), ast.Constant) and bool(back.value)
    columns, turned = _columns(call.args[0], words.get("key"))
    return (columns, ((place == "-1") != falls) != turned) if columns else None


def _columns(table: ast.expr, key: ast.expr | None) -> tuple[list[str], bool]:
    """The words of the columns that are asked, and whether a minus sign turns them round."""
    if isinstance(key, ast.Attribute):  # key=losses.__getitem__, key=results.get
        return [*_whole(key.value)], False
    if not isinstance(key, ast.Lambda):
        return [*_whole(table), *(f"{words}[:][0]" for words in _names(table))], False
    body, turned = key.body, False
    if isinstance(body, ast.UnaryOp) and isinstance(body.op, ast.USub):
        body, turned = body.operand, True
    row = key.args.args[0].arg if key.args.args else ""
    inner = ast.unparse(body)
    if inner == row:
        return [*_whole(table)], turned
    if inner.startswith((f"{row}[", f"{row}.")):
        tail = inner[len(row) :]
        pairs = [tail[3:]] if tail.startswith("[1]") else []  # of items(), of enumerate(): what stands second
        tails = [tail, *pairs]
        return [f"{words}[:]{each}" if each else words for words in _names(table) for each in (*tails,)] + (
            [f"{words}[:]" for words in _names(table)] if pairs == [""] else []
        ), turned
    if isinstance(body, ast.Subscript | ast.Attribute):  # lambda r: results[r][0]
        parts = inner.split(f"[{row}]")
        return ([f"{parts[0]}[:]{parts[1]}", *_whole(ast.Name(parts[0]))] if len(parts) == 2 else []), turned
    return [], turned


def _names(table: ast.expr) -> list[str]:
    """The places that an expression for a table asks: `results` of `results.items()`, `a` and `b` of `zip(a, b)`."""
    if isinstance(table, ast.Name | ast.Attribute | ast.Subscript):
        return [ast.unparse(table)]
    if isinstance(table, ast.Call):
        owner = table.func.value if isinstance(table.func, ast.Attribute) and not table.args else None
        return [words for each in ([owner] if owner is not None else table.args) for words in _names(each)]
    return []


def _whole(table: ast.expr) -> Iterator[str]:
    for words in _names(table):
        yield words
        yield f"{words}[:]"
