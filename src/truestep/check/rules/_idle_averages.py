"""Averages of the weights that follow them through training, and that nothing in the program ever asks."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from truestep.check.changes import Step
from truestep.check.events import Forward, Op
from truestep.check.looks import Seen
from truestep.check.rules._facts import complete, held
from truestep.check.rules._source import tree_of
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN, EXACT = 10, 1e-6
LERPS = ("lerp_", "lerp", "_foreach_lerp_")
SAME = {"data", "detach", "to", "mul", "float"}
QUIET = {"eval", "train", "requires_grad_", "load_state_dict", "to", "register"}
"""What is done with an average before it is asked for anything."""
LEARNS = {"backward", "step"}
Place = tuple[str, int]


class Idle(NamedTuple):
    """The line that renews an average, the name of this, and after how many updates it was seen to do so."""

    site: Site
    name: str
    times: int


def idle_averages(trace: Trace) -> Iterator[Idle]:
    """Averages whose name the source uses for nothing but to renew them, where the trained weights are scored."""
    mine = held(trace)
    files = {event.site.file for event in (*trace.of(Step), *_calls(trace))}
    scored = [call.n for call in _calls(trace) if not call.grad and _held_by(trace, call) & mine]
    steps = trace.of(Step)
    if not complete(trace) or len(files) != 1 or not steps or not scored or scored[-1] < steps[-1].n:
        return
    homes = {facts.storages[name] for facts in trace.modules.values()
             for name, number in facts.parameters.items() if number in mine}  # fmt: skip
    lines: dict[Place, list[Op]] = defaultdict(list)
    for op in trace.ops(*LERPS, "add", "add_"):
        if op.update and _a_mean(trace, op, homes):
            lines[op.site.place].append(op)
    tree = tree_of(next(iter(files)))
    for found in lines.values():
        times = len({op.update for op in found})
        place = _renewing(found[0].site) if times >= OFTEN and tree is not None else None
        if place is None or tree is None or place[0] not in files:
            continue
        name = next((name for name in _bases(tree, place[1]) if _unused(tree, name, place[1])), "")
        if name:
            yield Idle(Site(*place), name, times)


def _calls(trace: Trace) -> list[Forward]:
    return [call for call in trace.of(Forward) if call.depth == 0]


def _held_by(trace: Trace, call: Forward) -> set[int]:
    facts = trace.modules.get(call.module)
    return set() if facts is None else set(facts.parameters.values())


def _a_mean(trace: Trace, op: Op, homes: set[int]) -> bool:
    """Whether a call draws what is no trained weight towards one that is, by a share."""
    if not op.out or any(out.storage in homes or out.needs_grad for out in op.out):
        return False
    if op.name not in LERPS and len(op.inputs) == 2 and _part_of_the_way(trace, op, homes):
        return True
    trained = [_home(trace, each, op.n) in homes for each in op.inputs]
    if op.name in LERPS:
        return any(trained)
    if len(trained) != 2 or trained[0] == trained[1]:
        return False
    shares = [_share(trace, each, op.n) for each in op.inputs]
    if op.name == "add_":  # after a product in place
        share = shares[1] * float(op.words.get("alpha", 1.0))
        return trained[1] and 0 < share < 1
    return 0 < shares[0] < 1 and abs(sum(shares) - 1) < EXACT


def _part_of_the_way(trace: Trace, op: Op, homes: set[int]) -> bool:
    """Whether a share of the difference to a trained weight is added, as in a running mean."""
    made = trace.maker(op.inputs[1], op.n)
    apart = trace.maker(made.inputs[0], made.n) if made is not None and made.name in ("div", "mul") else None
    if apart is None or apart.name != "sub" or len(apart.inputs) != 2:
        return False
    return _home(trace, apart.inputs[0], apart.n) in homes and apart.inputs[1].storage == op.inputs[0].storage


def _home(trace: Trace, seen: Seen, before: int) -> int:
    """The memory that a tensor stands in, behind a product with a number."""
    for _ in range(4):
        made = trace.maker(seen, before)
        if made is None or made.name not in SAME or len(made.inputs) != 1:
            break
        seen, before = made.inputs[0], made.n
    return seen.storage


def _share(trace: Trace, seen: Seen, before: int) -> float:
    made = trace.maker(seen, before)
    numbers = [each for each in made.args if isinstance(each, float)] if made is not None and made.name == "mul" else []
    return numbers[0] if numbers else 1.0


def _renewing(site: Site) -> Place | None:
    """The line on which a program asks for the renewal: that of the call, or where the method of it is called."""
    tree = tree_of(site.file)
    for node in ast.walk(tree) if tree is not None else ():
        inside = isinstance(node, ast.FunctionDef) and node.lineno <= site.line <= (node.end_lineno or node.lineno)
        if inside and isinstance(node, ast.FunctionDef) and node.args.args[:1] and node.args.args[0].arg == "self":
            calls = [each.func for each in ast.walk(node) if isinstance(each, ast.Call)]
            learns = any(isinstance(each, ast.Attribute) and each.attr in LEARNS for each in calls)
            return None if learns or not site.callers else site.callers[0]
    return site.callers[0] if site.function == "<lambda>" and site.callers else site.place


def _bases(tree: ast.Module, line: int) -> Iterator[str]:
    """What the statement of a line calls a method of, alone, and a call made: `ema` of `ema.update(net)`."""
    given = [node for node in ast.walk(tree) if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)]
    made = {_word(target) for node in given for target in node.targets}
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and node.lineno <= line <= (node.end_lineno or line):
            called = node.value.func if isinstance(node.value, ast.Call) else None
            base = _word(called.value) if isinstance(called, ast.Attribute) else ""
            yield from [base] if base in made - {"", "self"} else []


def _word(node: ast.AST) -> str:
    """The last word of a name or an attribute."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _unused(tree: ast.Module, name: str, line: int) -> bool:
    """Whether a file mentions a name for nothing but to make it, hand it on by that name, and renew it on a line."""
    above = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    words = [
        node for node in ast.walk(tree) if _word(node) == name and isinstance(getattr(node, "ctx", None), ast.Load)
    ]
    return all(_idle(above, node, name, line) for node in words)


def _idle(above: dict[ast.AST, ast.AST], node: ast.AST, name: str, line: int) -> bool:
    over, way = above.get(node), list[ast.AST]()
    one: ast.AST | None = node
    while one is not None and not isinstance(one, ast.stmt):
        way.append(one)
        one = above.get(one)
    if one is None:
        return False
    if isinstance(one, ast.Expr) and isinstance(over, ast.Attribute) and isinstance(one.value, ast.Call):
        mine = one.value.func is over
        return mine and (over.attr in QUIET or one.lineno <= line <= (one.end_lineno or line))
    if isinstance(one, ast.If):
        return one.test in way
    if isinstance(one, ast.Assign) and one.value is node:
        return all(_word(target) == name for target in one.targets)
    return False
