"""Nested dicts, lists and tuples of tensors: taken apart into leaves, put together again, and written as Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Leaf:
    """The place of a leaf: its number in the order of the nesting."""

    number: int


def flat(tree: Any) -> tuple[list[Any], Any]:
    """`(leaves, nesting)`: the leaves in order, and the same nesting with a `Leaf` in place of each; None has none."""
    leaves: list[Any] = []
    return leaves, _nesting(tree, leaves)


def _nesting(part: Any, leaves: list[Any]) -> Any:
    # Not within `flat`: a function that knows itself is a cycle, which would hold the leaves until it is collected.
    if part is None:
        return None
    if isinstance(part, dict):
        return {key: _nesting(value, leaves) for key, value in part.items()}
    if isinstance(part, tuple) and hasattr(part, "_fields"):
        return type(part)(*(_nesting(value, leaves) for value in part))
    if isinstance(part, tuple | list):
        return type(part)([_nesting(value, leaves) for value in part])
    leaves.append(part)
    return Leaf(len(leaves) - 1)


def rebuilt(nesting: Any, leaves: Sequence[Any]) -> Any:
    """The nesting with these leaves."""
    if isinstance(nesting, Leaf):
        return leaves[nesting.number]
    if isinstance(nesting, dict):
        return {key: rebuilt(value, leaves) for key, value in nesting.items()}
    if isinstance(nesting, tuple) and hasattr(nesting, "_fields"):
        return type(nesting)(*(rebuilt(value, leaves) for value in nesting))
    if isinstance(nesting, tuple | list):
        return type(nesting)([rebuilt(value, leaves) for value in nesting])
    return nesting


def paths(nesting: Any, start: str) -> Iterator[str]:
    """How Python reaches each leaf from `start`, in order: `args_0['weight'][1]`."""
    if isinstance(nesting, Leaf):
        yield start
    elif isinstance(nesting, dict):
        for key, value in nesting.items():
            yield from paths(value, f"{start}[{key!r}]")
    elif isinstance(nesting, tuple | list):
        for place, value in enumerate(nesting):
            yield from paths(value, f"{start}[{place}]")


def spelled(nesting: Any, leaves: Sequence[str], kinds: dict[str, Any]) -> str:
    """Python that builds the nesting from the names of its leaves; classes it needs are put into `kinds`."""
    if isinstance(nesting, Leaf):
        return leaves[nesting.number]
    if isinstance(nesting, dict):
        return "{" + ", ".join(f"{key!r}: {spelled(value, leaves, kinds)}" for key, value in nesting.items()) + "}"
    if not isinstance(nesting, tuple | list):
        return repr(nesting)
    inner = ", ".join(spelled(value, leaves, kinds) for value in nesting)
    if hasattr(nesting, "_fields"):
        kinds[type(nesting).__name__] = type(nesting)
        return f"{type(nesting).__name__}({inner})"
    return f"[{inner}]" if isinstance(nesting, list) else f"({inner}{',' if len(nesting) == 1 else ''})"
