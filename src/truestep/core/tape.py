"""What a function of tensors did, in order: the light form of a graph, two of which are quickly compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import fx

_NONE: Mapping[str, Any] = {}


class Entry:
    """One line of a tape: something that is given, an operation, or what is returned."""

    __slots__ = ("args", "kwargs", "meta", "name", "number", "target")

    def __init__(self, number: int, target: Any, args: Any, kwargs: Mapping[str, Any], name: str = "") -> None:
        self.number, self.target, self.args, self.kwargs, self.name = number, target, args, kwargs, name
        self.meta: dict[str, Any] = {}


class Tape:
    """Lines in the order in which they were written; the arguments of each are plain values and lines before it."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def given(self, name: str) -> Entry:
        """A line for something that the function is given, or holds."""
        return self._add(None, (), _NONE, name)

    def call(self, target: Callable[..., Any], args: Any, kwargs: Mapping[str, Any] = _NONE) -> Entry:
        """A line for an operation."""
        return self._add(target, args, kwargs)

    def returns(self, results: Sequence[Any]) -> None:
        """The last line."""
        self._add(None, (tuple(results),), _NONE)

    def _add(self, target: Any, args: Any, kwargs: Mapping[str, Any], name: str = "") -> Entry:
        entry = Entry(len(self.entries), target, args, kwargs, name)
        self.entries.append(entry)
        return entry

    def same(self, other: Tape) -> bool:
        """Whether both say the same."""
        return len(self.entries) == len(other.entries) and all(map(_same, self.entries, other.entries))

    def graph(self) -> fx.Graph:
        """The same as a graph, to be worked on."""
        graph, nodes = fx.Graph(), list[fx.Node]()

        def turned(value: Any) -> Any:
            kind = type(value)
            if kind is Entry:
                return nodes[value.number]
            if kind is tuple or kind is list:
                return kind([turned(each) for each in value])
            return {key: turned(each) for key, each in value.items()} if kind is dict else value

        for entry in self.entries:
            if entry.name:
                node = graph.placeholder(entry.name)
            elif entry.target is None:
                node = graph.output(turned(entry.args[0]))
            else:
                node = graph.call_function(entry.target, turned(entry.args), turned(entry.kwargs))
            node.meta.update(entry.meta)
            nodes.append(node)
        return graph


def _same(one: Entry, other: Entry) -> bool:
    heads = one.target == other.target and one.name == other.name
    return heads and _alike(one.args, other.args) and _alike(one.kwargs, other.kwargs)


def _alike(one: Any, other: Any) -> bool:
    """Whether two arguments are the same, number for number and NaN for NaN; 1, 1.0 and True are three."""
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is Entry:
        return one.number == other.number
    if kind is tuple or kind is list:
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_alike(each, other[key]) for key, each in one.items())
    if isinstance(one, float):
        signed = one == other and math.copysign(1.0, one) == math.copysign(1.0, other)
        return signed or (math.isnan(one) and math.isnan(other))
    return bool(one == other)
