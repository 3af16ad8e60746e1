"""States of an optimizer by hand that are bound anew to a name: the next step finds them as they were made."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from truestep.check.changes import Backward
from truestep.check.events import Op
from truestep.check.rules._source import scope_of, tree_of
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN = 4
ZEROS = {"zeros_like", "zeros"}


def lost_states(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Lines that make the next state of a zero state, at update after update, and bind it to the loop's own name."""
    passes = [event.n for event in trace.of(Backward)]
    lines: dict[tuple[str, int], dict[int, list[Op]]] = defaultdict(lambda: defaultdict(list))
    for op in trace.ops("mul"):
        state = op.inputs[0] if len(op.inputs) == 1 else None
        made = trace.maker(state, op.n) if state is not None and not state.needs_grad and not state.version else None
        if state is not None and made is not None and made.name in ZEROS:
            lines[op.site.place][state.number].append(op)
    for states in lines.values():
        uses = max(states.values(), key=len)
        times = len({bisect_left(passes, op.n) for op in uses})
        name = _rebound(uses[0].site) if times >= OFTEN else ""
        if name:
            yield (
                uses[0].site, f"the new {name} is bound to a name, and the next step finds the old one",
                f"after {times} passes looked at it was made of a tensor of zeros that nobody "
                f"ever wrote into, and so for {len(states)} such tensors",
            )  # fmt: skip
            return


def _rebound(site: Site) -> str:
    """The name of a loop that the line gives a value made of itself, and that goes nowhere it could be found again."""
    tree = tree_of(site.file)
    scope = scope_of(tree, site.line) if tree is not None else ast.Module([], [])
    for loop in (node for node in ast.walk(scope) if isinstance(node, ast.For)):
        own = {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
        for node in (each for each in ast.walk(loop) if isinstance(each, ast.Assign) and each.lineno == site.line):
            target = node.targets[0]
            if isinstance(target, ast.Name) and target.id in own and not _stored(loop, target.id):
                return target.id
    return ""


def _stored(loop: ast.For, name: str) -> bool:
    """Whether a value is put into a list, a dict or another tensor: bare on the right, or handed to a call."""
    for node in ast.walk(loop):
        if isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name) and _bare(node.value, name):
            return True
        if isinstance(node, ast.Call) and any(_bare(each, name) for each in node.args):
            kept = isinstance(node.func, ast.Attribute) and node.func.attr in {"append", "copy_", "update", "set_"}
            if kept:
                return True
        if isinstance(node, ast.Yield | ast.Return) and node.value is not None and _bare(node.value, name):
            return True
    return False


def _bare(node: ast.expr, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(node))
