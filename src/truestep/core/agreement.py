"""Whether two programs compute the same, whatever order they add in: shown in float64 on the arguments at hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.node import map_aggregate

from truestep.core.nesting import flat, rebuilt
from truestep.core.program import Program
from truestep.core.spelling import made, named, spell

EXACT = 1e-10
"""How far results may be apart in float64, by the largest entry: a million terms in another order are nearer."""
AS_GOOD, ROUNDINGS = 4.0, 32
"""How many times the error of the program in its own precision is allowed, and how many roundings at the least.

Sums in another order have errors of the same size, and of many the largest seldom differ by more than 2. Where much
cancels, a single sum may be right by chance: its error is taken to be at least what it moves by when every argument is
moved by one rounding.
"""


def agree(program: Program, twin: Program, args: tuple[Any, ...]) -> bool:
    """Whether both return the same: shown in float64, where rounding is far below anything else; else no is the answer.

    In their own precision the twin may then be no further from that than some times the program itself.
    """
    wide = _widened(program)
    try:
        exact, other = (_results(one, _copied(args, torch.float64)) for one in (wide, _widened(twin)))
    except (RuntimeError, TypeError):
        return False
    before, after = (_results(one, _copied(args)) for one in (program, twin))
    if not all(map(_same, exact, other, before, after)):
        return False
    worse = [k for k, each in enumerate(before) if each.is_floating_point() and not _as_good(exact[k], each, after[k])]
    if not worse:
        return True
    moved = _results(wide, _moved(args))
    return all(_off(after[k], exact[k]) <= AS_GOOD * _off(moved[k], exact[k]) for k in worse)


def _same(exact: Tensor, other: Tensor, before: Tensor, after: Tensor) -> bool:
    """Whether one result is, both in float64 and both in their own precision: in kind, and in value in float64."""
    if (before.shape, before.dtype, exact.shape) != (after.shape, after.dtype, other.shape):
        return False
    if not before.is_floating_point():
        return torch.equal(exact, other) and torch.equal(before, after)
    return _off(other, exact) <= EXACT


def _as_good(exact: Tensor, before: Tensor, after: Tensor) -> bool:
    own = max(_off(before, exact), ROUNDINGS * torch.finfo(before.dtype).eps / AS_GOOD)
    return _off(after, exact) <= AS_GOOD * own


def _moved(args: tuple[Any, ...]) -> Any:
    """The arguments in float64, each number moved by one rounding of its own precision, up or down."""
    leaves, nesting = flat(args)
    generator = torch.Generator().manual_seed(0)

    def moved(leaf: Tensor) -> Tensor:
        if not leaf.is_floating_point():
            return leaf.detach().clone()
        signs = torch.randint(2, leaf.shape, generator=generator).to(leaf.device) * 2 - 1
        return leaf.detach().double() * (1 + torch.finfo(leaf.dtype).eps * signs)

    return rebuilt(nesting, [moved(leaf) for leaf in leaves])


def _off(found: Tensor, exact: Tensor) -> float:
    """The largest difference, by the largest entry; what is not finite must be so in both."""
    found = found.double()
    bad = ~exact.isfinite()
    if not torch.equal(bad, ~found.isfinite()):
        return math.inf
    most, away = (
        float(each.masked_fill(bad, 0.0).abs().amax()) if each.numel() else 0.0 for each in (exact, found - exact)
    )
    return away / most if most else away


def _widened(program: Program) -> Program:
    """The program with float64 wherever it says another floating type."""
    graph = fx.Graph()
    graph.output(graph.graph_copy(program.graph, {}))

    def wide(value: Any) -> Any:
        return torch.float64 if isinstance(value, torch.dtype) and value.is_floating_point else value

    for node in graph.nodes:
        node.args, node.kwargs = map_aggregate((node.args, node.kwargs), wide)
    held = [_as(tensor, torch.float64) for tensor in program.held]
    text, names = spell(graph, program.takes, program.returns)
    return replace(program, graph=graph, held=tuple(held), run=made(text, {**names, **named(held)}))


def _results(program: Program, args: Any) -> list[Tensor]:
    with torch.no_grad(), torch.random.fork_rng([]):
        return flat(program.run(*args))[0]


def _copied(args: tuple[Any, ...], dtype: torch.dtype | None = None) -> Any:
    leaves, nesting = flat(args)
    return rebuilt(nesting, [_as(leaf.detach().clone(), dtype) for leaf in leaves])


def _as(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() and dtype is not None else tensor
