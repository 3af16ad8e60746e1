"""Rates that a program computes and no optimizer ever uses: what its names were worth beside the rates of the steps."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

import torch

from truestep.check.changes import OptimizerMade, SchedulerMade, Step
from truestep.check.events import Names
from truestep.check.rules._source import tree_of
from truestep.check.site import Site
from truestep.check.trace import Trace

CALLED = re.compile(r"(^|[._])(lr|learning_?rate)(_|$)", re.IGNORECASE)
REPORTS = re.compile(
    r"(^|\.)(print|append|format|log|info|debug|warning|write|writerow|add_scalar|set_postfix|set_description|round|float|str)$"
)
BUILDS = re.compile(r"(^|\.)(SGD|ASGD|N?Adam\w*|RAdam|RMSprop|Adagrad|Adadelta|Rprop|Adafactor|SparseAdam)$")
INSIDE = (
    ast.keyword, ast.Tuple, ast.List, ast.Dict, ast.Starred, ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Compare,
)  # fmt: skip
VALUES, WIDE = 3, 20.0
PLAIN, MANY, WIDER = {"lr", "learning_rate"}, 4, 200.0
"""A name that can stand for nothing else, and so many values of it, need no tie to the optimizer's rate."""


class Unused(NamedTuple):
    """A name with the values that it had, and the steps of the one optimizer meanwhile, all at one rate."""

    name: str
    values: tuple[float, ...]
    steps: tuple[Step, ...]
    site: Site


def unused(trace: Trace, few: int) -> Iterator[Unused]:
    """The rates of this kind."""
    scheduled = {event.optimizer for event in trace.of(SchedulerMade)}
    steps = [step for step in trace.of(Step) if not step.nested]
    numbers = {step.optimizer for step in steps}
    if len(steps) < few or len(numbers) > 1 or numbers & scheduled or len({step.rates for step in steps}) > 1:
        return
    made = next((event for event in trace.of(OptimizerMade) if event.optimizer in numbers), None)
    if made is None or not _known(made) or any(update.by_hand for update in trace.updates()):
        return
    own = steps[0].rates[0]
    moments = [names for names in trace.of(Names) if steps[0].n < names.n and names.held]
    called = dict.fromkeys(each for names in moments for each in names.held if CALLED.search(each))
    tied = any(names.held.get(name) == own for names in moments for name in called)
    for name in called:
        held = [(names, names.held[name]) for names in moments if isinstance(names.held.get(name), float)]
        values = list(dict.fromkeys(value for _, value in held))
        attribute = _of_optimizer(name, [names for names, _ in held], steps[0].optimizer)
        if attribute and values[-1:] != [own]:
            yield Unused(name, tuple(values), tuple(steps), made.site)
        elif len(values) >= VALUES and min(values) >= 0 and own / WIDER < max(values) < own * WIDER:
            near = own / WIDE < max(values) < own * WIDE
            sure = (near and (tied or _begun(made.site.file, name))) or (name in PLAIN and len(values) >= MANY)
            line = _only_told(made.site.file, name) if sure else 0
            if line and any(held[0][0].n < step.n < held[-1][0].n for step in steps):
                yield Unused(name, tuple(values), tuple(steps), made.site._replace(line=line))


def misplaced(trace: Trace, few: int) -> Iterator[tuple[str, list[Step], Site]]:
    """What is set as if it were the rate while no rate moves: the defaults of an optimizer, an unknown key of a group.

    Each with the steps of its optimizer and the place where it is set.
    """
    scheduled = {event.optimizer for event in trace.of(SchedulerMade)}
    for made in trace.of(OptimizerMade):
        steps = [step for step in trace.of(Step) if step.optimizer == made.optimizer]
        tree = tree_of(made.site.file)
        still = made.optimizer not in scheduled and len({step.rates for step in steps}) == 1
        if tree is None or not still or len(steps) < few or not _known(made):
            continue
        for node in ast.walk(tree):
            target = _set(node)
            if target is not None and _idle(target, tree) and "add_param_group" not in ast.unparse(tree):
                yield ast.unparse(target), steps, made.site._replace(line=target.lineno)
                return


def _set(node: ast.AST) -> ast.Subscript | None:
    """The place in a dict that a statement gives a value."""
    if not isinstance(node, ast.Assign | ast.AugAssign):
        return None
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    return target if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant) else None


def _idle(target: ast.Subscript, tree: ast.Module) -> bool:
    """Whether no step reads this: `optimizer.defaults["lr"]`, or a key of a group that is named like a rate."""
    key, owner = str(getattr(target.slice, "value", "")), ast.unparse(target.value)
    if owner.endswith(".defaults"):
        return key == "lr"
    groups = [node for node in ast.walk(tree) if isinstance(node, ast.For) and "param_groups" in ast.unparse(node.iter)]
    grouped = ".param_groups[" in owner or any(ast.unparse(node.target) == owner for node in groups)
    read = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value == key]
    return grouped and key != "lr" and bool(CALLED.search(key)) and len(read) == 1


def _known(made: OptimizerMade) -> bool:
    """Whether this is one of torch's own, which read their rates from their groups."""
    classes = [
        node.name for node in ast.walk(tree_of(made.site.file) or ast.Module([], [])) if isinstance(node, ast.ClassDef)
    ]
    return hasattr(torch.optim, made.kind) and made.kind not in classes


def _of_optimizer(name: str, moments: list[Names], optimizer: int) -> bool:
    """Whether this is an attribute of the optimizer, which none of torch's own reads."""
    owner = name.rpartition(".")[0]
    return bool(moments) and all(names.held.get(owner) == ("optimizer", optimizer) for names in moments)


def _only_told(file: str, name: str) -> int:
    """The line that gives a name its values, where the file does nothing with these but to tell them; else 0."""
    tree = tree_of(file)
    if tree is None:
        return 0
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    same = [node for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute) and _is(node, name)]
    if not all(_harmless(node, parents, name) for node in same if isinstance(node.ctx, ast.Load)):
        return 0
    given = [node for node in same if isinstance(node.ctx, ast.Store) and not _constant(parents[node])]
    return max((node.lineno for node in given), default=0)


def _begun(file: str, name: str) -> bool:
    """Whether an optimizer is built with what a name stands for."""
    tree = tree_of(file) or ast.Module([], [])
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and BUILDS.search(ast.unparse(node.func))]
    return any(_is(node, name) for call in calls for node in ast.walk(call))


def _is(node: ast.AST, name: str) -> bool:
    """Whether these are the words for a name; an attribute is the same one on whatever object."""
    if isinstance(node, ast.Attribute):
        return node.attr == name.rpartition(".")[2] and "." in name
    return isinstance(node, ast.Name) and node.id == name


def _constant(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)


def _harmless(node: ast.AST, parents: dict[ast.AST, ast.AST], name: str) -> bool:
    """Whether a value is only printed, kept, returned, given to its own name, or put where a rate is kept."""
    around = parents[node]
    while isinstance(around, INSIDE):
        around = parents[around]
    if isinstance(around, ast.Call):
        called = ast.unparse(around.func)
        return bool(REPORTS.search(called) or BUILDS.search(called))
    if isinstance(around, ast.Assign):
        return all(_is(target, name) or _rate(target) for target in around.targets)
    return isinstance(around, ast.FormattedValue | ast.Return | ast.If | ast.While)


def _rate(target: ast.expr) -> bool:
    """Whether this is where an optimizer, or a copy of what it holds, keeps a rate."""
    if isinstance(target, ast.Subscript):
        return isinstance(target.slice, ast.Constant) and target.slice.value == "lr"
    return isinstance(target, ast.Attribute) and target.attr == "lr"
