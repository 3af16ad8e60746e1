"""What the last batch of an evaluation alone gives, told for all of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import groupby

from truestep.check.events import Batch, Forward, LoaderEnd, Names
from truestep.check.rules._quotients import dividing
from truestep.check.rules._readings import Figure, Reading, floats, near, readings
from truestep.check.rules._source import scope_of, tree_of
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN = 2
Loop = ast.For | ast.While


def hits_of_one(unsound: Sequence[Figure]) -> Iterator[tuple[Site, str, str]]:
    """Shares that are the last batch's hits, or its sum, over the samples of all batches."""
    met: dict[tuple[str, tuple[str, int]], list[tuple[Figure, list[Reading]]]] = {}
    for figure in unsound:
        run = figure.readings[0].run
        part = [each for each in figure.readings if each.run == run]
        rows = sum(each.rows for each in part)
        share = isinstance(figure.value, float) and not figure.value.is_integer()
        if run and share and part[0].kind == "sum" and len(part) > 1 and any(
            near(figure.value, scale * part[0].value / rows) for scale in (1, 100)
        ):  # fmt: skip
            met.setdefault((figure.name, part[0].site.place), []).append((figure, part))
    for held in met.values():
        if len({part[0].value for _, part in held}) >= OFTEN:
            figure, part = held[-1]
            last, rows, added = part[0].value, sum(each.rows for each in part), sum(each.value for each in part)
            yield (
                dividing(figure),
                f"the sum of the last of {len(part)} batches is divided by all {rows} samples",
                f"{figure.name} is {last:.6g} / {rows} = {last / rows:.6g}, and so {len(held)} times; over all "
                f"batches it is {added / rows:.6g}; the batches' numbers are read on line {part[0].site.line}",
            )


def ends_of_passes(trace: Trace) -> set[int]:
    """What models gave without a graph for the last batch of a pass of several, without updates: their outputs."""
    found = set[int]()
    for one in trace.passes():
        if one.whole and len(one.batches) > 1 and len({each.update for each in one.batches}) == 1:
            first, end = one.batches[-1].n, next(each.n for each in trace.of(LoaderEnd) if each.run == one.start.run)
            calls = (each for each in trace.between(first, end, Forward) if not each.depth and not each.grad)
            found |= {out.number for call in calls if call.module in trace.modules for out in call.outputs}
    return found


def told_for_all(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Names that are given each batch's figure anew and stand for the last one's when the evaluation is over.

    The source says that nothing in the loop makes use of the others; the numbers say that these are others.
    """
    ends = {end.run: end for end in trace.of(LoaderEnd)}
    sizes = _sizes(trace)
    for (place, kind, _), held in readings(trace).items():
        runs = [list(part) for run, part in groupby(held, key=lambda each: each.run) if run]
        whole = [
            part for part in runs
            if 1 < len(part) == len(sizes.get(part[0].run, ())) and part[0].run in ends
            and len({each.update for each in part}) == 1
        ]  # fmt: skip
        names = _overwritten(place, kind) if kind in ("mean", "sum") and len(whole) >= OFTEN else ()
        for name in names:
            met = [part for part in whole if _stands(trace, part) and len({each.value for each in part}) > 1]
            if len(met) >= OFTEN and len({part[-1].value for part in met}) >= OFTEN:
                part = max(met, key=lambda part: abs(_mean(part[-1:]) - _mean(part)))
                rows, mean = sum(each.rows for each in part), _mean(part)
                yield (
                    part[0].site,
                    f"the figure of the last of {len(part)} batches is told as that of all",
                    f"{name} is {part[-1].value:.6g} after the pass, the {kind} over {part[-1].rows} samples, its "
                    f"last batch, and so {len(met)} times; over all {rows} the mean is {mean:.6g}",
                )
                break


def _mean(part: Sequence[Reading]) -> float:
    sums = (each.value * (each.rows if each.kind == "mean" else 1) for each in part)
    return sum(sums) / sum(each.rows for each in part)


def _sizes(trace: Trace) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for batch in trace.of(Batch):
        found.setdefault(batch.run, []).append(batch.place)
    return found


def _stands(trace: Trace, part: Sequence[Reading]) -> bool:
    """Whether the value of the last batch is what a name holds at the next look, be it that of a function's result."""
    after = next((names for names in trace.of(Names) if names.n > part[-1].n), None)
    last, rows = part[-1].value, part[-1].rows
    scales = (1, 100, rows, 1 / rows, 100 / rows)
    return after is not None and any(near(value, scale * last) for _, value in floats(after) for scale in scales)


def _overwritten(place: tuple[str, int], kind: str) -> list[str]:
    """The plain names that a line in a loop gives a value, that the loop makes no other use of, and what follows does.

    Nothing before the loop is added to them, and the loop is the only place that sets them. What the line adds to was
    set to a number by the same loop; a sum is only added.
    """
    tree = tree_of(place[0])
    if tree is None:
        return []
    scope = scope_of(tree, place[1])
    loops = [each for each in ast.walk(scope) if isinstance(each, Loop) and _around(each, place[1])]
    loop = max(loops, key=lambda each: each.lineno, default=None)
    names = [
        name for node in ast.walk(loop or ast.Module([], [])) if isinstance(node, ast.Assign | ast.AugAssign)
        for name in _given(node, kind, loop) if _around(node, place[1])
    ]  # fmt: skip
    return [name for name in names if loop is not None and unused(loop, name) and _used_after(scope, loop, name)]


def _given(node: ast.Assign | ast.AugAssign, kind: str, loop: Loop | None) -> list[str]:
    if isinstance(node, ast.AugAssign):
        name = node.target.id if isinstance(node.target, ast.Name) and isinstance(node.op, ast.Add) else None
        before = [each for each in loop.body if each.lineno < node.lineno] if loop is not None else []
        return [name] if name is not None and any(_sets_to_number(each, name) for each in before) else []
    (target, *more) = node.targets
    return [target.id] if kind == "mean" and isinstance(target, ast.Name) and not more else []


def _sets_to_number(node: ast.stmt, name: str) -> bool:
    """`name = 0`, alone or in a row of them."""
    if not isinstance(node, ast.Assign):
        return False
    both = [(target, node.value) for target in node.targets]
    for target, value in list(both):
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            both += zip(target.elts, value.elts, strict=True)
    return any(isinstance(t, ast.Name) and t.id == name and isinstance(v, ast.Constant) for t, v in both)


def unused(loop: Loop, name: str) -> bool:
    return not any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) for n in ast.walk(loop))


def _used_after(scope: ast.AST, loop: Loop, name: str) -> bool:
    return any(
        isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) and n.lineno > (loop.end_lineno or 0)
        for n in ast.walk(scope)
    )


def _around(node: ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)
