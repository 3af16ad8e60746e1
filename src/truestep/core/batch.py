"""A batch is a tensor, or a tuple or dict of them, whose first dimension counts the samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from truestep.core.errors import DataError, ShapeError

Batch = tuple[Any, Any]
"""(inputs, targets)"""
CPU = torch.device("cpu")
"""To compare a device with: to spell its type takes as long as to read a number from a tensor."""


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of nested tuples, lists and dicts with its path, such as `["mask"]` or `[0]`; None has no leaf."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, f"{path}[{key!r}]")
    elif isinstance(tree, tuple | list):
        for index, value in enumerate(tree):
            yield from leaves(value, f"{path}[{index}]")
    elif tree is not None:
        yield path, tree


def change(tree: Any, function: Callable[[Any], Any]) -> Any:
    """The same nesting with each leaf changed."""
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, dict):
        return {key: change(value, function) for key, value in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(change(value, function) for value in tree))
    if isinstance(tree, tuple | list):
        return type(tree)(change(value, function) for value in tree)
    return tree if tree is None else function(tree)


def rows(tree: Any) -> int:
    """The number of samples: the first dimension of the first tensor; 1 for a scalar, 0 for nothing."""
    if isinstance(tree, Tensor):
        return tree.shape[0] if tree.dim() else 1
    for _, leaf in leaves(tree):
        if isinstance(leaf, Tensor):
            return leaf.shape[0] if leaf.dim() else 1
    return 0


def size(inputs: Any, targets: Any) -> int:
    """The number of samples of a batch, all of whose tensors must agree on it.

    Raises:
        ShapeError: naming the first tensor whose first dimension differs.
    """
    plain = isinstance(inputs, Tensor) and isinstance(targets, Tensor) and inputs.dim() and targets.dim()
    if plain and inputs.shape[0] == targets.shape[0]:  # the common case, without walking the trees
        return inputs.shape[0]
    first: tuple[str, int] | None = None
    for side, tree in (("inputs", inputs), ("targets", targets)):
        for path, leaf in leaves(tree, side):
            if not isinstance(leaf, Tensor):
                continue
            if not leaf.dim():
                raise ShapeError(f"{path} is a single number: the first dimension of every tensor must be the batch.")
            if first is None:
                first = (path, leaf.shape[0])
            elif first[1] != leaf.shape[0]:
                raise ShapeError(
                    f"{first[0]} has {first[1]} samples and {path} has {leaf.shape[0]}: "
                    "the first dimension of every tensor must be the batch."
                )
    if first is None:
        raise DataError(f"a batch needs at least one tensor, in its inputs or its targets{_instead(inputs, targets)}.")
    return first[1]


def _instead(inputs: Any, targets: Any) -> str:
    kinds = dict.fromkeys(type(leaf).__name__ for side in (inputs, targets) for _, leaf in leaves(side))
    return f", and this one holds {', '.join(kinds)}: torch.as_tensor(...) makes a tensor of it" if kinds else ""


def split(batch: Batch, parts: int | None) -> list[Batch]:
    """The batch in micro-batches of `parts` samples, in order, without the empty ones; views, not copies."""
    samples = size(*batch)
    if not samples:
        return []
    if parts is None or parts >= samples:
        return [batch]
    return [take(batch, slice(start, start + parts)) for start in range(0, samples, parts)]


def take(batch: Batch, index: Any) -> Batch:
    """The samples that `index` (a slice, or a tensor of positions) chooses.

    Raises:
        DataError: for a leaf that is no tensor, since nobody can say which part of it belongs to a sample.
    """
    inputs, targets = batch
    if isinstance(inputs, Tensor) and isinstance(targets, Tensor):  # the common case, without walking the trees
        if isinstance(index, slice):
            return inputs[index], targets[index]
        return inputs.index_select(0, index), targets.index_select(0, index)

    def part(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            raise DataError(
                f"a batch with {type(leaf).__name__} in it cannot be split: make it a tensor, a row a sample."
            )
        return leaf[index] if isinstance(index, slice) else leaf.index_select(0, index)

    return change(inputs, part), change(targets, part)


def to_device(tree: Any, device: torch.device) -> Any:
    """The same batch on another device; leaves that are no tensors stay as they are."""
    return change(tree, lambda leaf: leaf.to(device, non_blocking=True) if isinstance(leaf, Tensor) else leaf)


def widen(tree: Any) -> Any:
    """Half-precision outputs as float32, so that a total is summed in the precision that a sum needs."""
    halves = (torch.float16, torch.bfloat16)
    return change(tree, lambda leaf: leaf.float() if isinstance(leaf, Tensor) and leaf.dtype in halves else leaf)
