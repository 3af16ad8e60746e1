"""Generators that are built anew from one seed: they are in the same state beside each array that becomes a tensor."""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterator

from truestep.check.events import Batch, Forward, LoaderStart, Op
from truestep.check.finding import Level
from truestep.check.rules._batches import split
from truestep.check.rules._source import scope_of, tree_of
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN = 8
NOISE = {"normal", "standard_normal", "uniform", "random", "randn", "rand", "randint", "integers", "gauss", "laplace",
         "binomial", "poisson", "random_sample", "exponential"}  # fmt: skip
"""Draws that are meant to differ from item to item; a permutation of features may be the same for all."""
Told = tuple[Site, str, str, Level]


def generated(trace: Trace) -> Iterator[Told]:
    """The lines where a generator was in one and the same state each time."""
    trained = {call.n for call in split(trace)[0]}
    calls = [event.n for event in trace.of(Forward) if event.depth == 0]
    lines: dict[tuple[str, int], list[Op]] = {}
    for op in trace.ops("generated"):
        at = bisect_right(calls, op.n)
        if op.grad and at < len(calls) and calls[at] in trained:
            lines.setdefault(op.site.place, []).append(op)
    for ops in lines.values():
        updates = {op.update for op in ops}
        name, shape, real = ops[0].args[3][0][0], ops[0].args[1], ops[0].args[2]
        if len(updates) < 3 or len(ops) < OFTEN or len({op.args[3] for op in ops}) > 1:
            continue
        if len({op.args for op in ops}) == 1:
            yield (
                ops[0].site, name,
                f"{len(ops)} arrays of shape {shape} in {len(updates)} updates were equal to the bit, and {name} was "
                "in one and the same state beside each",
                "warning" if real else "advice",
            )  # fmt: skip
            return
        items = _fetched(trace, ops)
        if real and items >= 2 * OFTEN and _noise(ops[0].site, name):
            yield (
                ops[0].site, name,
                f"{len(ops)} arrays of shape {shape} were made, {items} different ones, and {name} was in one and the "
                "same state beside each: it drew the same for all of them",
                "warning",
            )  # fmt: skip
            return


def _fetched(trace: Trace, ops: list[Op]) -> int:
    """How many different arrays were made while a loader made its batches."""
    ends = {batch.run: batch.n for batch in trace.of(Batch)}
    passes = [(start.n, ends.get(start.run, start.n)) for start in trace.of(LoaderStart)]
    return len({op.args[0] for op in ops if any(first < op.n < last for first, last in passes)})


def _noise(site: Site, name: str) -> bool:
    """Whether the function around a line draws nothing of that generator but what should differ."""
    tree = tree_of(site.file)
    scope = scope_of(tree, site.line) if tree is not None else None
    calls = [] if scope is None else [node.func for node in ast.walk(scope) if isinstance(node, ast.Call)]
    drawn = {each.attr for each in calls if isinstance(each, ast.Attribute) and ast.unparse(each.value) == name}
    return bool(drawn) and drawn <= NOISE
