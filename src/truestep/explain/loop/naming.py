"""What a program calls the terms of its loss and its weights: names from its own frames and its own source."""

from __future__ import annotations

import ast
import gc
import linecache
import math
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from truestep.core.chain import CAUSES
from truestep.explain.figures import shorten
from truestep.explain.loop.roots import Root, roots

OURS = (str(Path(__file__).parents[2]), str(Path(torch.__file__).parent))
LONGEST = 48  # signs of a name
LOOKED = 1000  # entries of a container that are looked through


def frames() -> list[FrameType]:
    """The program's own frames, innermost first, without torch's and ours."""
    frame, found = sys._getframe(1), list[FrameType]()
    while frame is not None:
        if not frame.f_code.co_filename.startswith((*OURS, "<frozen")):
            found.append(frame)
        frame = frame.f_back
    return found


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a loss as the program has it: its name, its value where a variable holds it, and its weight."""

    name: str
    value: float
    weight: float


def taken_apart(
    losses: Sequence[Tensor], seeds: Sequence[Tensor | None], around: Sequence[FrameType]
) -> tuple[list[Root], list[Term]]:
    """The terms at the root of what is differentiated, each by a name of its own in the program.

    That is its variable, else its expression in the source, else the operation of its graph.
    """
    variables = {value.grad_fn: (name, value) for name, value in _values(around) if _graph(value)}
    written = _expressions(around[0]) if around else []
    number = len(written) if len(written) > 1 and len(losses) == 1 else None
    pairs = zip(losses, seeds, strict=True)
    found = [root for loss, seed in pairs for root in roots(loss, seed, variables, number)]
    written = written if len(written) == len(found) else [""] * len(found)
    told = list[Term]()
    for root, expression in zip(found, written, strict=True):
        place = next((place for place in root.path if place[0] in variables), None)
        name, value = ("", None) if place is None else variables[place[0]]
        said = shorten(name or expression or _operation(root), LONGEST)
        said = f"{said} (term)" if said in CAUSES else said
        weight = _number(root.gradient if place is None else place[1])
        told.append(Term(_once(said, [term.name for term in told]), _number(value), weight))
    return found, told


def _number(value: Tensor | None) -> float:
    return math.nan if value is None or value.numel() != 1 else float(value.detach())


def parameter_names(parameters: Sequence[Tensor], around: Sequence[FrameType]) -> dict[Tensor, str]:
    """A name for each weight: by the largest module that holds it, else by its variable, else its number."""
    wanted, found = set(parameters), dict[Tensor, str]()
    for module in modules(parameters):
        for name, parameter in module.named_parameters():
            if parameter in wanted:
                found.setdefault(parameter, plain(name))
    for name, value in _values(around):
        if isinstance(value, Tensor) and value in wanted:
            found.setdefault(value, name)
    names = list[str]()
    for number, parameter in enumerate(parameters):
        names.append(_once(found.get(parameter, f"parameter {number}"), names))
    return dict(zip(parameters, names, strict=True))


def plain(name: str) -> str:
    """The name of a part of a model without what `torch.compile` wraps around it."""
    return name.replace("_orig_mod.", "")


def modules(parameters: Sequence[Tensor]) -> list[nn.Module]:
    """The modules that hold these weights and are part of no other, those that hold most of them first."""
    wanted = set(parameters)
    # A class and not isinstance: objects that stand in for others would be woken.
    alive = [one for one in gc.get_objects() if issubclass(type(one), nn.Module) and "_modules" in vars(one)]
    held = [(module, sum(p in wanted for p in module.parameters())) for module in alive]
    held = [(module, number) for module, number in held if number]
    inside = {id(child) for module, _ in held for child in module.modules() if child is not module}
    tops = [(module, number) for module, number in held if id(module) not in inside]
    return [module for module, _ in sorted(tops, key=lambda pair: -pair[1])]


def _values(around: Sequence[FrameType]) -> Iterator[tuple[str, Any]]:
    """Every variable of these frames, and what lies in its lists and dicts, by name; inner frames first."""
    for scope in [space for frame in around for space in (frame.f_locals, frame.f_globals)]:
        for name, value in list(scope.items()):
            if isinstance(value, dict) and not name.startswith("__"):
                yield from ((f"{name}[{key!r}]", each) for key, each in list(value.items())[:LOOKED])
            elif isinstance(value, list | tuple):
                yield from ((f"{name}[{place}]", each) for place, each in enumerate(value[:LOOKED]))
            yield name, value


def _graph(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad and value.grad_fn is not None


def _operation(root: Root) -> str:
    """The operation of a term in words: MseLossBackward0 is "mse loss"."""
    name = re.sub(r"Backward\d*$", "", root.edge.node.name())
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()


def _once(name: str, taken: Sequence[str]) -> str:
    number, found = 2, name
    while found in taken:
        found, number = f"{name} ({number})", number + 1
    return found


def _expressions(frame: FrameType) -> list[str]:
    """The terms of what is differentiated on the line where a frame stands, as they are written there."""
    source = "".join(linecache.getlines(frame.f_code.co_filename, frame.f_globals))
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    scope = _scope(tree, frame)
    loss = next((found for node in ast.walk(scope) if (found := _differentiated(node, frame.f_lineno))), None)
    return [] if loss is None else [ast.unparse(term) for term in _terms(loss, _assignments(scope, _place(loss)))]


def _scope(tree: ast.Module, frame: FrameType) -> ast.AST:
    """The function in which a frame stands, or the module."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    name, first = frame.f_code.co_name, frame.f_code.co_firstlineno
    same = [node for node in ast.walk(tree) if isinstance(node, kinds) and node.name == name]
    return next((node for node in same if abs(node.lineno - first) <= len(node.decorator_list)), tree)


def _differentiated(node: ast.AST, line: int) -> ast.expr | None:
    """`loss` of the `loss.backward()` or `backward(loss)` that stands on this line."""
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr="backward"), args=args) if (
            node.lineno <= line <= (node.end_lineno or 0)
        ):
            holder = ast.unparse(value)
            return args[0] if args and holder.endswith(("autograd", "accelerator", "fabric", "self")) else value
    return None


Assigned = dict[str, list[ast.stmt]]


def _place(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _assignments(scope: ast.AST, end: tuple[int, int]) -> Assigned:
    """Name -> the statements before a place in the source that give it a value, in their order."""
    found: Assigned = {}
    for node in ast.walk(scope):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)])
                | ast.AugAssign(target=ast.Name(id=name))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr())
            ) if _place(node) < end:
                found.setdefault(name, []).append(node)
    return {name: sorted(statements, key=_place) for name, statements in found.items()}


def _terms(expression: ast.expr, assigned: Assigned, own: str = "") -> list[ast.expr]:
    """What an expression adds up, as far as its own variable leads back; numbers that add nothing are left out."""
    match expression:
        case ast.Name(id=name) if assigned.get(name) and own in ("", name):
            *before, last = assigned[name]
            left = {**assigned, name: before}
            if isinstance(last, ast.AugAssign):
                return _terms(ast.BinOp(ast.Name(name), last.op, last.value), left, name)
            value = getattr(last, "value", None)
            return [expression] if value is None else _terms(value, left, name) or [expression]
        case ast.BinOp(left=a, op=ast.Add() | ast.Sub(), right=b):
            return [*_terms(a, assigned, own or "+"), *_terms(b, assigned, own or "+")]
        case ast.BinOp(left=a, op=ast.Mult() | ast.Div(), right=ast.Constant()):
            return _terms(a, assigned, own)
        case ast.BinOp(left=ast.Constant(), op=ast.Mult(), right=b) | ast.UnaryOp(operand=b):
            return _terms(b, assigned, own)
        case ast.Call(func=ast.Attribute(value=a, attr="sum" | "mean"), args=[]):
            below = _terms(a, assigned, own)  # a sum of elements is taken apart, one alone keeps its whole name
            return below if len(below) > 1 else [expression]
        case ast.Call(func=ast.Attribute(attr="scale"), args=[a]):
            return _terms(a, assigned, own)
        case ast.Constant():
            return []
    return [expression]
