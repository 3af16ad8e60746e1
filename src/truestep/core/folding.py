"""Programs of stacked models made shorter: shared factors folded, constants computed once, views of views made one.

`vmap` copies what stacked models share before it multiplies. Where one factor of a `bmm` is such a copy, the copies are
left out: `A W_g` for all g is one product of A with all `W_g` side by side. Sums are then added in another order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx

from truestep.core.agreement import agree
from truestep.core.lowering import NARROW
from truestep.core.program import Program, drawing, simplify
from truestep.core.recording import aten
from truestep.core.spelling import made, named, spell

VIEWS = (aten.view.default, aten._unsafe_view.default, aten.reshape.default)
MOVES = (
    *VIEWS,
    aten.expand.default,
    aten.clone.default,
    aten.unsqueeze.default,
    aten.squeeze.dim,
    aten.transpose.int,
    aten.permute.default,
    aten.t.default,
)
"""Operations that only say where numbers lie."""
UNCHANGED = (aten.mul.Scalar, aten.mul.Tensor, aten.div.Tensor, aten.div.Scalar)
"""Operations that change nothing where their second argument is 1."""


def folded(program: Program, args: tuple[Any, ...]) -> Program:
    """The program with shared factors folded; itself where that changes more than rounding, shown on `args`."""
    graph, held = _copy(program.graph), list(program.held)
    if not program.writes:  # to the last bit: what is multiplied by 1, and what is computed once instead of each time
        _drop_ones(graph)
        held += _constants(graph, len(held))
    simplify(graph)
    plain = _program(program, graph, held)
    graph = _copy(graph)
    for node in list(graph.nodes):
        if node.target is aten.bmm.default:
            _fold(graph, node)
        elif node.target is aten.addcmul.default:
            _part(graph, node)
    _merge_views(graph)
    simplify(graph)
    twin = _program(program, graph, held)
    return twin if agree(plain, twin, args) else program


def _copy(graph: fx.Graph) -> fx.Graph:
    """A graph of new nodes that know what the old ones knew of their tensors."""
    found, places = fx.Graph(), dict[fx.Node, fx.Node]()
    found.output(found.graph_copy(graph, places))
    for old, new in places.items():
        new.meta = dict(old.meta)
    return found


def _program(program: Program, graph: fx.Graph, held: list[Tensor]) -> Program:
    text, names = spell(graph, program.takes, program.returns)
    return replace(program, graph=graph, held=tuple(held), run=made(text, {**names, **named(held)}))


@dataclass(frozen=True, slots=True)
class _Shared:
    """A factor `(orders * grid, rows, columns)` that is one of `(orders, rows, columns)` copied along the grid."""

    source: fx.Node
    orders: int
    turned: bool
    rows: int
    columns: int


def _fold(graph: fx.Graph, node: fx.Node) -> None:
    left, right = node.args
    assert isinstance(left, fx.Node)
    assert isinstance(right, fx.Node)
    a, b = _shared(left), _shared(right)
    if a is None and b is None:
        return
    with graph.inserting_before(node):
        new = _left(graph, a, right) if a is not None else _right(graph, left, b)
    new.meta = dict(node.meta)
    node.replace_all_uses_with(new)


def _part(graph: fx.Graph, node: fx.Node) -> None:
    """`a + value b c` as a product and a sum where a factor has one number a variant: torch's own then runs unfused."""
    given: list[Any] = list(node.args[:3])
    start, *factors = given
    spread = any(each.meta["shape"] != start.meta["shape"] for each in factors if isinstance(each, fx.Node))
    if not spread or "shape" not in node.meta:
        return
    with graph.inserting_before(node):
        product = graph.call_function(aten.mul.Tensor, tuple(factors))
        total = graph.call_function(aten.add.Tensor, (start, product), {"alpha": node.kwargs.get("value", 1)})
    total.meta = dict(node.meta)
    node.replace_all_uses_with(total)


def _drop_ones(graph: fx.Graph) -> None:
    """Leave out products with 1 and quotients by 1, and ask nobody for the shape of what is full of ones."""
    for node in list(graph.nodes):
        if node.target in UNCHANGED and node.args[1] == 1 and not isinstance(node.args[1], bool | fx.Node):
            (given,) = node.args[:1]
            if given.meta.get("dtype") == node.meta["dtype"]:
                node.replace_all_uses_with(given)
        elif node.target is aten.ones_like.default and not node.kwargs:
            made_of = {"dtype": node.meta["dtype"], "device": node.meta["device"]}
            with graph.inserting_before(node):
                ones = graph.call_function(aten.ones.default, (list(node.meta["shape"]),), made_of)
            ones.meta = dict(node.meta)
            node.replace_all_uses_with(ones)


def _constants(graph: fx.Graph, known: int) -> list[Tensor]:
    """What does not depend on the arguments is computed once: the tensors that are held from now on."""
    values: dict[fx.Node, Any] = {}
    for node in graph.nodes:
        if node.op == "call_function" and not drawing(node) and all(each in values for each in node.all_input_nodes):
            args, kwargs = (fx.map_arg(each, lambda used: values[used]) for each in (node.args, node.kwargs))
            values[node] = node.target(*args, **kwargs)
    first, held = next(iter(graph.nodes)), list[Tensor]()
    for node, value in values.items():
        if isinstance(value, Tensor) and any(user not in values for user in node.users):
            with graph.inserting_before(first):
                place = graph.placeholder(f"held_{known + len(held)}")
            place.meta = dict(node.meta)
            node.replace_all_uses_with(place, lambda user: user not in values)
            held.append(value)
    return held


def _left(graph: fx.Graph, shared: _Shared, other: fx.Node) -> fx.Node:
    """`A [B_1 B_2 ...]`; where A has few rows as it stands, else transposed, since narrow results are slow."""
    batch, inner, columns = other.meta["shape"]
    grid, orders = batch // shared.orders, shared.orders
    turned = graph.call_function(aten.transpose.int, (other, 1, 2))
    tall = _reshape(graph, turned, (orders, grid * columns, inner))
    if shared.rows >= NARROW:
        product = _product(graph, tall, _base(graph, shared, not shared.turned), orders)
        return graph.call_function(aten.transpose.int, (_reshape(graph, product, (batch, columns, shared.rows)), 1, 2))
    wide = graph.call_function(aten.transpose.int, (tall, 1, 2))
    product = _product(graph, _base(graph, shared, shared.turned), wide, orders)
    parts = _reshape(graph, product, (orders, shared.rows, grid, columns))
    moved = graph.call_function(aten.permute.default, (parts, [0, 2, 1, 3]))
    return _reshape(graph, moved, (batch, shared.rows, columns))


def _product(graph: fx.Graph, a: fx.Node, b: fx.Node, orders: int) -> fx.Node:
    if orders > 1:
        return graph.call_function(aten.bmm.default, (a, b))
    flat_a, flat_b = (graph.call_function(aten.squeeze.dim, (each, 0)) for each in (a, b))
    return graph.call_function(aten.mm.default, (flat_a, flat_b))


def _right(graph: fx.Graph, other: fx.Node, shared: _Shared | None) -> fx.Node:
    """`A_g B`, all `A_g` below one another."""
    assert shared is not None
    batch, rows, inner = other.meta["shape"]
    tall = _reshape(graph, other, (shared.orders, batch // shared.orders * rows, inner))
    product = _product(graph, tall, _base(graph, shared, shared.turned), shared.orders)
    return _reshape(graph, product, (batch, rows, shared.columns))


def _base(graph: fx.Graph, shared: _Shared, turned: bool) -> fx.Node:
    """The factor itself, (orders, rows, columns), or with rows and columns exchanged: views, no copies."""
    sides = (shared.columns, shared.rows) if shared.turned else (shared.rows, shared.columns)
    found = _reshape(graph, shared.source, (shared.orders, *sides))
    return graph.call_function(aten.transpose.int, (found, 1, 2)) if turned else found


def _reshape(graph: fx.Graph, node: fx.Node, shape: tuple[int, ...]) -> fx.Node:
    return graph.call_function(aten.reshape.default, (node, list(shape)))


def _shared(node: fx.Node) -> _Shared | None:
    """What a factor is a copy of: found by following where each number comes from."""
    batch, rows, columns = node.meta["shape"]
    for source, chain in _origins(node):
        size = math.prod(source.meta["shape"])
        if size == 0 or batch * rows * columns % size or (copies := batch * rows * columns // size) == 1:
            continue
        if batch % copies:
            return None
        numbers = torch.arange(size, dtype=torch.float64).view(source.meta["shape"])
        lies = _followed(numbers, chain).reshape(batch // copies, copies, rows, columns)
        if bool((lies != lies[:, :1]).any()):
            return None
        one, plain = lies[:, 0], numbers.reshape(batch // copies, -1)
        if torch.equal(one.flatten(1), plain):
            return _Shared(source, batch // copies, False, rows, columns)
        if torch.equal(one.mT.flatten(1), plain):
            return _Shared(source, batch // copies, True, rows, columns)
        return None
    return None


def _origins(node: fx.Node) -> Iterator[tuple[fx.Node, list[fx.Node]]]:
    """Each node that this one only moves the numbers of, nearest first, with the moves from there."""
    chain: list[fx.Node] = []
    while node.target in MOVES and isinstance(node.args[0], fx.Node):
        chain.insert(0, node)
        node = node.args[0]
        yield node, chain


def _followed(numbers: Tensor, chain: list[fx.Node]) -> Tensor:
    for move in chain:
        kind = aten.reshape.default if move.target in VIEWS else move.target
        numbers = kind(numbers, *move.args[1:])  # pyright: ignore[reportCallIssue, reportOperatorIssue]
    return numbers


def _merge_views(graph: fx.Graph) -> None:
    """One view where there were several, none where the shape stays; what lies otherwise now is copied if need be."""
    for node in list(graph.nodes):
        if node.target in VIEWS:
            node.target = aten.reshape.default
            while node.args[0].target in VIEWS:
                node.args = (node.args[0].args[0], node.args[1])
        if node.target in (*VIEWS, aten.expand.default) and tuple(node.args[1]) == node.args[0].meta.get("shape"):
            node.replace_all_uses_with(node.args[0])
