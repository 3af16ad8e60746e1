"""A graph of torch's operations as flat Python, each called in the quickest way there is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch._ops import OpOverload

from truestep.core.nesting import paths, spelled
from truestep.core.scalars import FUNCTIONS, SIGNS

METHODS = ("view", "expand")
"""Operations that torch has only as methods, as it has those that end in an underscore."""


def spell(graph: fx.Graph, takes: tuple[Any, ...], returns: Any, quick: bool = True) -> tuple[str, dict[str, Any]]:
    """`(text, names)` of a function `program` of the graph: what it says, and what the names in it mean.

    What is not needed any more is let go at once: its memory serves the next result.
    """
    names: dict[str, Any] = {}
    results = spelled(returns, _results(graph), names)
    return _text([*_unpacked(takes), *body(graph, names, quick), f"return {results}"], _arguments(takes)), names


def spell_flat(graph: fx.Graph) -> tuple[str, dict[str, Any]]:
    """The same of a function of the inputs of the graph, one after the other, that returns a list."""
    names: dict[str, Any] = {}
    lines = [*body(graph, names, quick=False), f"return [{', '.join(_results(graph))}]"]
    return _text(lines, _inputs(graph)), names


def spell_around(graph: fx.Graph, takes: tuple[Any, ...], returns: Any) -> tuple[str, dict[str, Any]]:
    """The same with the operations left to a `kernel` from a list of the inputs of the graph to its results."""
    names: dict[str, Any] = {}
    results = [f"results[{number}]" for number in range(len(_results(graph)))]
    lines = [f"results = kernel([{', '.join(_inputs(graph))}])", f"return {spelled(returns, results, names)}"]
    return _text([*_unpacked(takes), *lines], _arguments(takes)), names


def _text(lines: list[str], arguments: list[str]) -> str:
    return "\n    ".join([f"def program({', '.join(arguments)}):", *lines]) + "\n"


def _arguments(takes: tuple[Any, ...]) -> list[str]:
    return [f"args_{number}" for number in range(len(takes))]


def _unpacked(takes: tuple[Any, ...]) -> list[str]:
    reached = [path for name, part in zip(_arguments(takes), takes, strict=True) for path in paths(part, name)]
    return [f"given_{number} = {path}" for number, path in enumerate(reached)]


def _inputs(graph: fx.Graph) -> list[str]:
    """The inputs of the graph: those that are given, then those that are held."""
    found = [node.name for node in graph.nodes if node.op == "placeholder"]
    return sorted(found, key=lambda name: name.startswith("held_"))


def _results(graph: fx.Graph) -> list[str]:
    return [str(each) for each in next(iter(reversed(graph.nodes))).args[0]]


def made(text: str, names: dict[str, Any]) -> Callable[..., Any]:
    """The function that a text spells."""
    exec(compile(text, "<program>", "exec"), names)
    return names["program"]


def named(held: Sequence[Tensor]) -> dict[str, Any]:
    """The tensors that a program holds, by their names in its text."""
    return {f"held_{number}": tensor for number, tensor in enumerate(held)}


def body(graph: fx.Graph, names: dict[str, Any], quick: bool) -> list[str]:
    """A line an operation; what its words mean is put into `names`."""
    last, lines = _last_uses(graph), list[str]()
    for node in graph.nodes:
        if node.op == "call_function":
            lines.append(f"{node.name} = {_call(node, names, quick)}")
            gone = [each.name for each in last.get(node, ()) if each.op == "call_function"]
            lines += [f"del {', '.join(gone)}"] if gone else []
    return lines


def _last_uses(graph: fx.Graph) -> dict[fx.Node, list[fx.Node]]:
    """Node -> the nodes whose results are not needed after it; a result that nobody reads goes at once."""
    last: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        last[node] = node
        for used in node.all_input_nodes:
            last[used] = node
    found: dict[fx.Node, list[fx.Node]] = {}
    for used, node in last.items():
        found.setdefault(node, []).append(used)
    return found


def _call(node: fx.Node, names: dict[str, Any], quick: bool) -> str:
    sign = SIGNS.get(node.target)  # pyright: ignore[reportArgumentType, reportCallIssue]
    if sign is not None:
        return f" {sign} ".join(_word(each, names) for each in node.args)
    name = FUNCTIONS.get(node.target)  # pyright: ignore[reportArgumentType, reportCallIssue]
    if name is not None:
        names[name] = node.target
        return f"{name}({', '.join(_word(each, names) for each in node.args)})"
    if not isinstance(node.target, OpOverload):
        return f"{node.args[0]}[{node.args[1]}]"
    name, function = callee(node.target, quick)
    names[name] = function
    schema, given = node.target._schema.arguments, len(node.args)
    # Torch leaves out what equals a default, and some of its parsers have another default than the operation.
    filled = [each.default_value for each in schema[given:] if not each.kwarg_only and each.name not in node.kwargs]
    words = []
    for each, value in zip(schema, (*node.args, *filled), strict=False):
        # Of a factor in the third place the parser says that it is out of date, and means the second.
        words.append(f"alpha={_word(value, names)}" if each.name == "alpha" else _word(value, names))
    words += [f"{k}={_word(v, names)}" for k, v in node.kwargs.items()]
    return f"{name}({', '.join(words)})"


def _word(value: Any, names: dict[str, Any]) -> str:
    if isinstance(value, fx.Node):
        return value.name
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_word(each, names) for each in value) + "]"
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    name = f"constant_{len(names)}"  # a dtype, a device, a memory format, an infinity
    names[name] = value
    return name


def callee(target: OpOverload, quick: bool) -> tuple[str, Callable[..., Any]]:
    """A name and the way to call an operation; the quick way, torch's own parser of arguments, takes 1 us less."""
    name = target._schema.name.removeprefix("aten::")
    if quick and "::" not in name:
        for home in (torch._C._VariableFunctions, torch._C._nn):  # pyright: ignore[reportAttributeAccessIssue]
            if hasattr(home, name):
                return f"torch_{name}", getattr(home, name)
        if name in METHODS or (name.endswith("_") and hasattr(Tensor, name)):
            return f"tensor_{name}", getattr(Tensor, name)
    return f"op_{target.name().replace('::', '_').replace('.', '_')}", target
