"""A figure that is read when a loop over a loader is over: of what it held then, which is the last batch's."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from truestep.check.events import Forward, LoaderEnd, Number
from truestep.check.rules._last_batch import Loop, unused
from truestep.check.rules._source import scope_of, tree_of
from truestep.check.site import Site
from truestep.check.trace import Pass, Trace

OFTEN, DEEP = 2, 12
JOINS = {"stack", "cat", "add", "add_", "__iadd__", "__radd__", "maximum", "minimum", "where"}
"""What is made of several batches is no figure of one."""


def read_after(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Lines behind a loop that read such a figure, after several passes without updates."""
    ends = _ends(trace)
    lines: dict[tuple[str, int], dict[int, tuple[Number, Pass]]] = {}
    for number in trace.of(Number) if ends else ():
        if not number.close or number.value is None or number.of.shape:
            continue
        way = trace.back([number.of], number.n, DEEP, lambda op, _: op.name not in JOINS)
        one, over = next((ends[seen.number] for seen, _ in way if seen.number in ends), (None, 0))
        if one is not None and over < number.n and _name(number.site):
            lines.setdefault(number.site.place, {})[one.start.run] = number, one
    for read in lines.values():
        number, one = next(iter(read.values()))
        if len(read) >= OFTEN and len({each.value for each, _ in read.values()}) >= OFTEN:
            last, rows = _rows(one, -1), sum(_rows(one, place) for place in range(len(one.batches)))
            yield (
                number.site,
                f"the figure of the last of {len(one.batches)} batches is told as that of all",
                f"{_name(number.site)} is read here, behind the loop, and so {len(read)} times: {number.value:.6g} is "
                f"what the last batch gave, {last} of {rows} samples, and nothing makes use of the others",
            )
            return


def _ends(trace: Trace) -> dict[int, tuple[Pass, int]]:
    """What models gave without a graph for the last batch of a pass of several: the pass, and when it was over."""
    found = {}
    over = {end.run: end.n for end in trace.of(LoaderEnd)}
    for one in trace.passes():
        if one.whole and len(one.batches) > 1 and len({each.update for each in one.batches}) == 1:
            calls = trace.between(one.batches[-1].n, over[one.start.run], Forward)
            quiet = (call for call in calls if not call.depth and not call.grad and call.module in trace.modules)
            found |= {out.number: (one, over[one.start.run]) for call in quiet for out in call.outputs}
    return found


def _rows(one: Pass, place: int) -> int:
    shapes = [each.shape for each in one.batches[place].tensors if each.shape]
    return shapes[0][0] if shapes else 0


def _name(site: Site) -> str:
    """The plain name on a line behind a loop that the loop gives a value anew each time, and does nothing else with."""
    tree = tree_of(site.file)
    scope = scope_of(tree, site.line) if tree is not None else ast.Module([], [])
    loops = [each for each in ast.walk(scope) if isinstance(each, Loop) and (each.end_lineno or 0) < site.line]
    given = {
        target.id for loop in loops for node in ast.walk(loop) if isinstance(node, ast.Assign)
        for target in node.targets if isinstance(target, ast.Name) and unused(loop, target.id)
    }  # fmt: skip
    read = [n.id for n in ast.walk(scope) if isinstance(n, ast.Name) and n.lineno == site.line and n.id in given]
    return read[0] if read else ""
