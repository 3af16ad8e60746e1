"""Generators that are built anew from one seed: they are in the same state beside each array that becomes a tensor."""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from itertools import groupby

from truestep.check.changes import Step
from truestep.check.events import Batch, Forward, LoaderStart, Op
from truestep.check.finding import Level
from truestep.check.looks import Seen
from truestep.check.rules._batches import split
from truestep.check.rules._rounds import draws, stirs
from truestep.check.rules._source import scope_of, tree_of
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN, DRAWS = 8, 4
ROUNDS, SHARE = 3, 0.6
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
    told = (_same(trace, ops) or _again(trace, ops) for ops in lines.values())
    yield from [each for each in told if each is not None][:1]


def _same(trace: Trace, ops: list[Op]) -> Told | None:
    """Whether a generator was in one state beside all arrays, which were equal, or of items that differ."""
    if len({op.args[3] for op in ops}) > DRAWS:
        return None
    ops = [op for op in ops if op.args[3] == ops[0].args[3]]  # an item may have several arrays, one after the other
    updates = {op.update for op in ops}
    name, shape, real = ops[0].args[3][0][0], ops[0].args[1], ops[0].args[2]
    if len(updates) < 3 or len(ops) < OFTEN:
        return None
    if len({op.args for op in ops}) == 1 and real:
        return (
            ops[0].site, name,
            f"{len(ops)} arrays of shape {shape} in {len(updates)} updates were equal to the bit, and {name} was "
            "in one and the same state beside each",
            "warning",
        )  # fmt: skip
    items = _fetched(trace, ops)
    if real and items >= 2 * OFTEN and _noise(ops[0].site, name):
        return (
            ops[0].site, name,
            f"{len(ops)} arrays of shape {shape} were made, {items} different ones, and {name} was in one and the "
            "same state beside each: it drew the same for all of them",
            "warning",
        )  # fmt: skip
    return None


def _again(trace: Trace, ops: list[Op]) -> Told | None:
    """Whether what was drawn comes back, state and all, in round after round: no generator returns to where it was of
    itself.
    """
    movers = {step.update: step.optimizer for step in trace.of(Step)}
    mover = Counter(movers.get(op.update, 0) for op in ops).most_common(1)[0][0]
    made = [op for op in ops if movers.get(op.update, 0) == mover]
    told = [list(each) for _, each in groupby(made, lambda op: (op.update, op.args[3]))]  # several in one line
    own = [each[0] for each in told]
    rounds: dict[tuple[object, ...], list[int]] = {}
    for place, each in enumerate(told):
        rounds.setdefault((own[place].args[3], *(op.args[0] for op in each)), []).append(place)
    again = [places for places in rounds.values() if len({own[place].update for place in places}) >= ROUNDS]
    if len(again) < SHARE * len(rounds) or not again:
        return None
    moved = all(own[place - 1].args[3] != own[place].args[3] for places in again for place in places[1:])
    names = [name for name, _ in own[0].args[3]]
    name = next((each for each in names if moved or draws(own[0].site, each)), None)
    if name is None or (len(rounds) > 1 and not moved):
        return None
    sure = stirs(own[0].site, name) if len(rounds) > 1 else _rows(trace, made)
    return (
        own[0].site, name,
        f"in {len({op.update for op in own})} updates {len(rounds)} different arrays (or sets of them) were made here: "
        f"they came back equal to the bit, and {name} was in the state of the time before",
        "warning" if sure else "advice",
    )  # fmt: skip


def _rows(trace: Trace, ops: list[Op]) -> bool:
    """Whether what was made of these arrays tells which rows are taken, as it does of samples and not of features."""
    made = {out.number for op in trace.between(ops[0].n, ops[-1].n + 9, Op) if op.site.place == ops[0].site.place
            for out in op.out if op.name in ("tensor", "as_tensor", "from_numpy")}  # fmt: skip
    takes = trace.ops("__getitem__", "index_select")
    index = (op.arg(2, "index") if op.name == "index_select" else op.arg(1, "index") for op in takes if op.grad)
    return any(isinstance(each, Seen) and each.number in made for each in index)


def _fetched(trace: Trace, ops: list[Op]) -> int:
    """How many different arrays were made while a loader made its batches."""
    ends = {batch.run: batch.n for batch in trace.of(Batch)}
    passes = [(start.n, ends.get(start.run, start.n)) for start in trace.of(LoaderStart)]
    return len({op.args[0] for op in ops if any(first < op.n < last for first, last in passes)})


def _noise(site: Site, name: str) -> bool:
    """Whether the function around a line, with those that it hands the generator to, draws nothing of it but what
    should differ.
    """
    tree = tree_of(site.file)
    scope = scope_of(tree, site.line) if tree is not None else None
    drawn = set[str]() if tree is None or scope is None else {*_drawn(scope, name), *_lent(tree, scope, name)}
    return bool(drawn) and drawn <= NOISE


def _drawn(scope: ast.AST, name: str) -> set[str]:
    """What is called of a generator."""
    calls = [node.func for node in ast.walk(scope) if isinstance(node, ast.Call)]
    return {each.attr for each in calls if isinstance(each, ast.Attribute) and ast.unparse(each.value) == name}


def _lent(tree: ast.AST, scope: ast.AST, name: str) -> Iterator[str]:
    """What the functions of the same file draw that are handed a generator; of any other function "" is told."""
    known: dict[str, list[ast.FunctionDef]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            known.setdefault(node.name, []).append(node)
    for call in (node for node in ast.walk(scope) if isinstance(node, ast.Call)):
        given = [*enumerate(call.args), *((each.arg, each.value) for each in call.keywords)]
        for place in [place for place, each in given if isinstance(each, ast.Name) and each.id == name]:
            made = known.get(call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func), [])
            names = [each.arg for each in made[0].args.args if each.arg not in ("self", "cls")] if made else []
            named = names[place] if isinstance(place, int) and place < len(names) else place
            yield from _drawn(made[0], str(named)) if len(made) == 1 else {""}
