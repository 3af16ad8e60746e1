"""Copies that a program does without: into a tensor that it was given, and of what nobody else holds.

What is copied into a given tensor is computed there at once, where nobody still reads the old numbers. And autograd
copies a gradient that somebody looks at, as the recorder does: where only it held the numbers, it keeps them itself.
"""

from __future__ import annotations

from typing import Any

from torch import fx
from torch._ops import OpOverload

from truestep.core.recording import aten


def settle(graph: fx.Graph) -> None:
    """Turn `p.copy_(p + d)` into `p += d`, and chains of it, in a graph whose other operations change nothing."""
    place = {node: number for number, node in enumerate(graph.nodes)}
    for node in list(graph.nodes):
        if node.target is not aten.copy_.default or len(node.args) != 2 or node.users:
            continue
        held, made = node.args
        if held.op != "placeholder" or not _alike(held, made):
            continue
        chain = _chain(held, made)
        if not chain or not all(_free(user, chain, node, place) for user in held.users):
            continue
        for link in chain:
            link.target = _in_place(link.target)  # pyright: ignore[reportAttributeAccessIssue]
        graph.erase_node(node)


def adopt(graph: fx.Graph) -> None:
    """Take `x` itself for a copy of `x` that is made at once and lies alike, where nothing else reads `x`."""
    for copy in list(graph.nodes):
        if copy.target is not aten.copy_.default or len(copy.args) != 2:
            continue
        empty, made = copy.args
        if (
            empty.target is not aten.new_empty_strided.default
            or not _alike(empty, made)
            or not _only(made, copy, empty)
        ):
            continue
        empty.replace_all_uses_with(made, lambda user, copy=copy: user is not copy)
        copy.replace_all_uses_with(made)
        graph.erase_node(copy)
        graph.erase_node(empty)


def _only(made: fx.Node, *users: fx.Node) -> bool:
    """Whether a result, and whatever it is a view of, is a fresh one that only these use."""
    if made.op != "call_function" or not isinstance(made.target, OpOverload) or set(made.users) - set(users):
        return False
    shared = [each for each in made.target._schema.arguments if each.alias_info is not None]
    if not shared:
        return True
    return all(isinstance(each, fx.Node) and _only(each, made) for each in made.args[:1])


def _chain(held: fx.Node, made: fx.Node) -> list[fx.Node]:
    """The operations from what is held to what is made of it, each on the result of the one before; else none."""
    chain = [made]
    while True:
        first: Any = chain[0].args[0] if chain[0].args else None
        if _in_place(chain[0].target) is None or list(chain[0].args[1:]).count(first):
            return []
        if first is held:
            return chain
        if not isinstance(first, fx.Node) or len(first.users) > 1 or not _alike(held, first):
            return []
        chain.insert(0, first)


def _free(user: fx.Node, chain: list[fx.Node], copy: fx.Node, place: dict[fx.Node, int]) -> bool:
    """Whether a reader of the old value reads it before it is gone."""
    if user in (chain[0], copy):
        return True
    schema = getattr(user.target, "_schema", None)
    keeps = schema is None or any(each.alias_info is not None for each in schema.returns)  # a view would change with it
    return place[user] < place[chain[0]] and not keeps


def _in_place(target: Any) -> OpOverload | None:
    """The operation that leaves its result in its first argument."""
    if not isinstance(target, OpOverload) or not target._schema.name.startswith("aten::"):
        return None
    if any(each.alias_info is not None for each in target._schema.arguments):
        return None
    packet = getattr(aten, target._schema.name.removeprefix("aten::") + "_", None)
    return getattr(packet, target._overloadname, None)


def _alike(held: fx.Node, made: Any) -> bool:
    meta = getattr(made, "meta", {})
    return all(meta.get(name) == held.meta[name] for name in ("shape", "stride", "dtype", "device"))
