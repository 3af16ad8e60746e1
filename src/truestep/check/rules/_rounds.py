"""Training passes that hand out the same batches in the same order, though the code that makes them draws by chance."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from truestep.check.changes import Step
from truestep.check.events import Batch, LoaderMade, LoaderStart, Op, Seeded
from truestep.check.rules._batches import Drawn, drawn, split
from truestep.check.rules._source import scope_of, tree_of
from truestep.check.site import Site
from truestep.check.trace import Trace

ORDERS = {"permutation", "shuffle", "permuted", "sample", "randperm", "choice", "choices"}
"""Draws that put what is there into an order, or take some of it."""
PICKED = {"sample", "choice", "choices", "randint", "randrange"}
"""Draws of items: an order may be one of features, which is the same for all on purpose."""
NOISE = {"normal", "standard_normal", "uniform", "random", "randn", "rand", "gauss", "laplace", "random_sample"}
ROUNDS, FEW = 3, 8
Told = tuple[Site, str]


def rounds(trace: Trace) -> Iterator[Told]:
    """The loaders whose training passes all came in one order, by a sampler or a stream that draws it."""
    movers = {step.update: step.optimizer for step in trace.of(Step)}
    held: dict[tuple[int, int], list[Drawn]] = {}
    for one in drawn(trace):
        if one.trains and one.what.whole and one.what.loader is not None:
            mover = movers.get(one.what.batches[-1].update, 0)
            held.setdefault((one.what.loader.loader, mover), []).append(one)
    for found in held.values():
        made = found[0].what.loader
        if made is None or len(found) < ROUNDS:
            continue
        told = _ordered(found, made) or _streamed(found, made)
        if told:
            yield found[1].what.start.site, told


def _ordered(found: list[Drawn], made: LoaderMade) -> str:
    """Whether a sampler that shuffles gave one order to all passes."""
    orders = {tuple(batch.index for batch in one.what.batches) for one in found}
    index = [each for batch in found[0].what.batches for each in batch.index or () if isinstance(each, int)]
    if len(orders) > 1 or len(index) < FEW or len(index) < len(found[0].items) or index == sorted(index):
        return ""
    if len({second - first for first, second in pairwise(index)}) <= 2:  # by stride
        return ""
    if made.sampler != "DistributedSampler" and not _drawn_in(made.site.file, made.sampler):
        return ""
    hint = " (its set_epoch was never called, or always with one number)" * (made.sampler == "DistributedSampler")
    return f"{made.sampler} gave all {len(found)} passes one order, which is not that of the data{hint}"


def _streamed(found: list[Drawn], made: LoaderMade) -> str:
    """Whether a stream that draws handed out the same rows in all passes."""
    if any(batch.index is not None for one in found for batch in one.what.batches):
        return ""
    places: dict[int, list[tuple[tuple[int, ...], ...]]] = {}
    for one in found:
        for batch in one.what.batches:
            if batch.close and batch.tensors and all(each.rows for each in batch.tensors):
                places.setdefault(batch.place, []).append(tuple(each.rows for each in batch.tensors))
    known = [each for each in places.values() if len(each) >= ROUNDS]
    rows = {row for each in known for row in each[0][0]}
    if len(rows) < FEW or any(len(set(each)) > 1 for each in known) or not _drawn_in(made.site.file, made.kind):
        return ""
    return f"{len(known)} batches of {len(found)} passes were equal to the bit, each in its place"


def seeded(trace: Trace) -> Iterator[Told]:
    """Seeds set to one number before update after update, whose inputs, made anew, are then the same."""
    movers = {step.update: step.optimizer for step in trace.of(Step)}
    trained = split(trace)[0]
    lines: dict[tuple[tuple[str, int], str, int | None, int], list[tuple[Seeded, tuple[int, ...], int]]] = {}
    for event in trace.of(Seeded):
        call = next((each for each in trained if each.n > event.n), None)
        if call is not None and call.inputs and call.inputs[0].rows and event.value is not None:
            which = (event.site.place, event.who, event.value, movers.get(call.update, 0))
            lines.setdefault(which, []).append((event, call.inputs[0].rows, call.inputs[0].number))
    values: dict[tuple[str, int], set[int | None]] = {}
    for event in trace.of(Seeded):
        values.setdefault(event.site.place, set()).add(event.value)
    for (place, who, value, _), held in lines.items():
        if len(values[place]) > 1:
            continue
        updates = {event.update for event, _, _ in held}
        rows = [row for _, row, _ in held]
        same = max(rows.count(each) for each in set(rows))
        anew = len({number for _, _, number in held}) > 1 and len(set(rows[0])) > 1
        if len(updates) > ROUNDS and same >= 0.9 * len(held) and anew and _draws_of(held[0][0].site, who):
            yield (
                held[0][0].site,
                (
                    f"{who} was seeded with {value} before {len(updates)} updates, and what was drawn then gave inputs "
                    "equal to the bit"
                ),
            )


def _draws_of(site: Site, who: str) -> bool:
    """Whether the function around a line draws from a library's own generator which items are taken, or noise."""
    tree = tree_of(site.file)
    scope = None if tree is None else scope_of(tree, site.line)
    if scope is None or isinstance(scope, ast.Module):
        return False
    owners = {"torch": ("torch",), "random": ("random",), "numpy": ("np.random", "numpy.random")}[who]
    calls = [each.func for each in ast.walk(scope) if isinstance(each, ast.Call)]
    drawn = [each.attr for each in calls if isinstance(each, ast.Attribute) and ast.unparse(each.value) in owners]
    return any(each in PICKED | NOISE for each in drawn)


def _drawn_in(file: str, kind: str) -> bool:
    """Whether the class of that name in a file draws an order, or noise for what is stored, in its `__iter__`."""
    tree = tree_of(file)
    kinds = [] if tree is None else [each for each in ast.walk(tree) if isinstance(each, ast.ClassDef)]
    found = [
        method for each in kinds if each.name == kind
        for method in each.body if isinstance(method, ast.FunctionDef) and method.name == "__iter__"
    ]  # fmt: skip
    return len(found) == 1 and _orders(found[0], None)


def _orders(scope: ast.AST, owner: str | None) -> bool:
    """Whether a function draws the order in which it goes through something, or noise that joins what is stored."""
    walks = [node.iter for node in ast.walk(scope) if isinstance(node, ast.For)]
    walks += [node.value for node in ast.walk(scope) if isinstance(node, ast.YieldFrom)]
    walks += [node.value for node in ast.walk(scope) if isinstance(node, ast.Return) and node.value is not None]
    names = {each.id for walk in walks for each in ast.walk(walk) if isinstance(each, ast.Name)}
    for node in ast.walk(scope):
        if isinstance(node, ast.Call) and _draw(node, ORDERS, owner):
            given = {each.id for arg in node.args[:1] for each in ast.walk(arg) if isinstance(each, ast.Name)}
            if any(node is each for walk in walks for each in ast.walk(walk)) or (_shuffles(node) and given & names):
                return True
        if isinstance(node, ast.Assign) and any(_draws(node.value, ORDERS, owner)):
            named = {each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name)}
            taken = {each.value.id for each in ast.walk(scope)
                     if isinstance(each, ast.Subscript) and isinstance(each.value, ast.Name)
                     and isinstance(each.slice, ast.Slice)}  # fmt: skip
            if named & (names | taken):
                return True
        if isinstance(node, ast.BinOp):
            sides = [node.left, node.right]
            for one, other in (sides, sides[::-1]):
                if any(_draws(one, NOISE, owner)) and any(isinstance(each, ast.Subscript) for each in ast.walk(other)):
                    return True
    return False


def _shuffles(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr == "shuffle"


def _draws(node: ast.AST, names: set[str], owner: str | None) -> Iterator[bool]:
    yield from (True for each in ast.walk(node) if isinstance(each, ast.Call) and _draw(each, names, owner))


def _draw(node: ast.Call, names: set[str], owner: str | None) -> bool:
    if isinstance(node.func, ast.Name):
        return owner is None and node.func.id in names
    return (
        isinstance(node.func, ast.Attribute)
        and node.func.attr in names
        and owner in (None, ast.unparse(node.func.value))
    )


def stirs(site: Site, name: str) -> bool:
    """Whether the function around a line builds a generator of that name once for a whole loop, always from the same
    seed, and draws an order with it, or noise for what is stored.
    """
    tree = tree_of(site.file)
    scope = None if tree is None else _around(tree, site)
    if scope is None or not _orders(scope, name):
        return False
    given = {each.arg for each in ast.walk(scope) if isinstance(each, ast.arg)} - {"self"}
    loops = [each for each in ast.walk(scope) if isinstance(each, ast.For | ast.While)]
    inside = [each.lineno for each in loops if each is not scope and each.lineno < site.line <= (each.end_lineno or 0)]
    built = [each for each in ast.walk(scope) if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == name]
    return any(
        isinstance(each.value, ast.Call) and any(each.lineno < line for line in inside)
        and not given & {word.id for word in ast.walk(each.value) if isinstance(word, ast.Name)}
        for each in built
    )  # fmt: skip


def draws(site: Site, name: str) -> bool:
    """Whether the code around a line draws with a generator of that name whenever it runs."""
    tree = tree_of(site.file)
    return tree is not None and any(_always(_around(tree, site), name))


def _around(tree: ast.Module, site: Site) -> ast.AST:
    """The function around a line; outside of any the innermost loop."""
    scope = scope_of(tree, site.line)
    if not isinstance(scope, ast.Module):
        return scope
    loops = [each for each in ast.walk(scope) if isinstance(each, ast.For | ast.While)]
    inside = [each for each in loops if each.lineno <= site.line <= (each.end_lineno or 0)]
    return max(inside, key=lambda each: each.lineno, default=ast.Module([], []))


def _always(node: ast.AST, name: str) -> Iterator[bool]:
    """The calls of a generator's methods outside of all conditions."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.If | ast.IfExp | ast.BoolOp | ast.FunctionDef | ast.Lambda | ast.Try):
            continue
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            yield from (True for _ in range(ast.unparse(inner.func.value) == name))
        yield from _always(inner, name)


def fetched(trace: Trace, ops: list[Op]) -> bool:
    """Whether all draws were made while loaders made their batches, and were the same for all items of a batch."""
    ends = {batch.run: batch.n for batch in trace.of(Batch)}
    spans = [(start.n, ends[start.run]) for start in trace.of(LoaderStart) if start.run in ends]
    alike = len({op.out[0].rows for op in ops}) == 1 < len(ops) / len({op.update for op in ops})
    return alike and all(any(first < op.n < last for first, last in spans) for op in ops)
