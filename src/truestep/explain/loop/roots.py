"""The sum at the root of a loss's graph, taken apart: its terms, and the gradient that reaches each of them."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

MOST = 12
"""The most terms that are told apart; a longer sum, as over the steps of a sequence, is one term."""
SUMS = {"AddBackward0", "SubBackward0", "StackBackward0", "CatBackward0"}
ALONG = {
    "NegBackward0", "RsubBackward1", "ToCopyBackward0", "ViewBackward0", "ReshapeAliasBackward0", "UnsafeViewBackward0",
    "SqueezeBackward0", "SqueezeBackward1", "UnsqueezeBackward0", "ExpandBackward0", "CloneBackward0",
}  # fmt: skip
SCALED = {"MulBackward0", "DivBackward0"}  # by what needs no gradient
REDUCED = {"MeanBackward0", "SumBackward0"}  # to one number: each distributes over a sum of elements


@dataclass(frozen=True, slots=True)
class Root:
    """One term of a loss: where its graph begins, and `gradient`, that of the whole loss by it.

    `path` has the nodes from the sum down to the term, each with its gradient: they differ by factors alone, so a name
    of any of them will do.
    """

    edge: GradientEdge
    gradient: Tensor
    path: tuple[tuple[Any, Tensor], ...]


def roots(
    loss: Tensor, gradient: Tensor | None = None, named: Container[Any] = (), written: int | None = None
) -> list[Root]:
    """The terms of a loss, in the order of their sum; the loss itself where its root is no sum of a few terms.

    Below additions, subtractions, factors that need no gradient, and one mean or sum over elements, each node itself
    says what gradient it hands on, so the parts are those of the real backward pass.

    Args:
        loss: what is differentiated.
        gradient: what its backward pass starts from, by default 1.
        named: nodes that the program has a name for: below a sum these are terms, whatever they add up themselves.
        written: how many terms the program writes, from left to right; a sum inside one of them stays whole.
    """
    start = torch.autograd.graph.get_gradient_edge(loss)
    seed = torch.ones_like(loss) if gradient is None else gradient.detach()
    whole = Root(start, seed, ((start.node, seed),))
    if loss.numel() != 1:
        return [whole]
    found, done, reduced = [whole], list[Root](), False
    while found and len(found) + len(done) != written:
        if len(found) + len(done) > MOST:
            return [whole]
        root = found.pop(0)
        split = bool(found or done)
        below = [] if split and root.edge.node in named else _below(root, reduced)
        reduced = reduced or (bool(below) and _name(root) in REDUCED)
        found = below + found
        done += [] if below else [root]
    every = done + [_down(root, named) for root in found]
    return every if len(every) > 1 else [whole]


def _down(root: Root, named: Container[Any]) -> Root:
    """A term below the factors before it, or where the program has a name for it."""
    while root.edge.node not in named and _name(root) in ALONG | SCALED:
        below = _below(root, reduced=True)
        if len(below) != 1:
            return root
        root = below[0]
    return root


def _below(root: Root, reduced: bool) -> list[Root]:
    """What a node adds up, each with the gradient that it gets; nothing where the node is a term of its own."""
    name, live = _name(root), _live(root)
    passed = (name in SUMS and (len(live) > 1 or not reduced)) or name in ALONG or (name in SCALED and len(live) == 1)
    if name in REDUCED and not reduced:
        passed = _adds_below(root)
    if not passed:
        return []
    node: Any = root.edge.node  # which the types of torch do not know can be called
    handed = node(root.gradient)
    gradients = handed if isinstance(handed, tuple) else (handed,)
    path = () if len(live) > 1 else root.path
    return [_handed(edge, gradients[place], path) for place, edge in live]


def _handed(edge: Any, gradient: Tensor, path: tuple[tuple[Any, Tensor], ...]) -> Root:
    """One child with its gradient, summed over what was broadcast, as the engine of torch does between two nodes."""
    node, place = edge
    gradient = gradient.sum_to_size(torch.Size(node._input_metadata[place].shape))
    return Root(GradientEdge(node, place), gradient, (*path, (node, gradient)))


def _adds_below(root: Root) -> bool:
    """Whether what is reduced is, but for factors, a sum: the loss and a penalty, added sample by sample."""
    node: Any = root.edge.node
    while True:
        live = [edge for edge in node.next_functions if edge[0] is not None]
        name = node.name()
        if name in SUMS and len(live) > 1:
            return True
        if len(live) != 1 or not (node is root.edge.node or name in ALONG or name in SCALED):
            return False
        node = cast(Any, live[0][0])


def _live(root: Root) -> list[tuple[int, Any]]:
    """The places and edges of a node that lead to something that needs a gradient."""
    return [(place, edge) for place, edge in enumerate(root.edge.node.next_functions) if edge[0] is not None]


def _name(root: Root) -> str:
    return root.edge.node.name()


def leaves(found: Sequence[Root]) -> list[Tensor]:
    """Every tensor that the graph below hands a gradient to."""
    seen, waiting, held = set[Any](), [root.edge.node for root in found], dict[Tensor, None]()
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if variable is not None:
            held[variable] = None
        waiting += [below for below, _ in node.next_functions if below is not None]
    return list(held)
