"""States that are changed where they were only asked for: the module's own weights stay what they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from truestep.check.changes import StateTaken
from truestep.check.rules._source import tree_of
from truestep.check.site import Site
from truestep.check.trace import Trace


def temporary(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Lines that write into what `state_dict()` returned and then let go of it."""
    told: dict[Site, list[StateTaken]] = {}
    for taken in trace.of(StateTaken):
        if taken.of == "module" and _let_go(taken.site):
            told.setdefault(taken.site, []).append(taken)
    for site, taken in told.items():
        yield (
            site, "new weights are written into a dict that is thrown away",
            f"state_dict() of {trace.name(taken[0].owner)} makes a new dict at each call; line {site.line} changed "
            f"{len(taken)} of them, and nothing else holds these",
        )  # fmt: skip
        return


def _let_go(site: Site) -> bool:
    """Whether a line says `model.state_dict().update(...)` or `model.state_dict()[name] = ...`."""
    tree = tree_of(site.file)
    return tree is not None and any(
        _writes(node) for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and node.lineno <= site.line <= (node.end_lineno or node.lineno)
    )  # fmt: skip


def _writes(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        called = node.value.func
        return isinstance(called, ast.Attribute) and called.attr == "update" and _state(called.value)
    if isinstance(node, ast.Assign):
        return any(isinstance(each, ast.Subscript) and _state(each.value) for each in node.targets)
    return False


def _state(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "state_dict"
