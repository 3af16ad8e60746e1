"""Nested state as plain data beside named tensors, and back: what optimizers, schedulers and batches are made of.

Plain data are what JSON knows, NaN and infinity included. A tensor becomes `{"tensor": its name}`; tuples and dicts are
marked likewise, so that each comes back as the type it was. Nothing is ever looked up by a name of code.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from truestep.core.errors import DataError

DICTS: dict[str, type[dict[Any, Any]]] = {"dict": dict, "counter": Counter, "ordered": OrderedDict}
SEQUENCES: dict[str, type] = {"tuple": tuple, "set": set, "deque": deque}
NUMBERS = "biufc"  # the kinds of numpy's numbers


class Packed:
    """Trees taken apart: `tensors` by name, and `left`, the paths of what could not be, with its type.

    Tensors are those that were given, not copies.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.left: dict[str, str] = {}

    def add(self, tree: Any, path: str) -> Any:
        """The plain data of `tree`, whose tensors are named after `path` and their place in the tree."""
        if tree is None or type(tree) in (bool, int, str):
            return tree
        if isinstance(tree, float):  # numpy's float64 is one too
            return float(tree)
        if isinstance(tree, Tensor):
            return {"tensor": self._named(tree, path), "device": tree.device.type}
        if isinstance(tree, np.ndarray) and tree.dtype.kind in NUMBERS:
            raw = torch.frombuffer(bytearray(tree.tobytes()), dtype=torch.uint8) if tree.size else torch.empty(0)
            return {"array": self._named(raw, path), "dtype": tree.dtype.str, "shape": list(tree.shape)}
        if type(tree) is list:
            return [self.add(value, f"{path}.{number}") for number, value in enumerate(tree)]
        return self._marked(tree, path)

    def _named(self, tensor: Tensor, path: str) -> str:
        while path in self.tensors:  # the keys 1 and "1" of one dict
            path += "'"
        self.tensors[path] = tensor
        return path

    def _marked(self, tree: Any, path: str) -> Any:
        for mark, kind in DICTS.items():
            if type(tree) is kind:
                pairs = tree.items()
                return {mark: [[self.add(k, f"{path}.key"), self.add(v, f"{path}.{_word(k)}")] for k, v in pairs]}
        for mark, kind in SEQUENCES.items():
            if type(tree) is kind:
                return {mark: [self.add(value, f"{path}.{number}") for number, value in enumerate(tree)]}
        if isinstance(tree, np.generic):
            return self.add(tree.item(), path)
        if not callable(tree) and not type(tree).__module__.startswith("weakref"):  # a function has no state of its own
            self.left[path] = type(tree).__name__
        return {"left": type(tree).__name__}


def unpack(plain: Any, tensors: Mapping[str, Tensor], device: torch.device, own: Any = None) -> Any:
    """The tree that `Packed.add` took apart; tensors that were not on the CPU come to `device`.

    What could not be taken apart is taken from the same place in `own`, a tree of the same make.

    Raises:
        DataError: for plain data that `Packed.add` did not make.
    """
    if isinstance(plain, list):
        return [unpack(v, tensors, device, _at(own, number)) for number, v in enumerate(plain)]
    if not isinstance(plain, dict):
        return plain
    mark, value = next(iter(plain.items()), ("nothing", None))
    named = tensors.get(value) if isinstance(value, str) else None
    if mark == "tensor" and named is not None:
        return named.to("cpu" if plain.get("device") == "cpu" else device)
    if mark == "array" and named is not None:
        return _array(named, plain.get("dtype"), plain.get("shape"))
    if mark == "left":
        return own
    if mark in SEQUENCES and isinstance(value, list):
        return SEQUENCES[mark](unpack(v, tensors, device, _at(own, number)) for number, v in enumerate(value))
    if mark in DICTS and isinstance(value, list):
        return DICTS[mark](dict(_pairs(value, tensors, device, own)))  # a counter would count the pairs
    raise DataError(f"the checkpoint holds {mark!r} where truestep writes none: it was not written by this library.")


def _array(raw: Tensor, dtype: Any, shape: Any) -> np.ndarray:
    try:
        kind = np.dtype(dtype)
        if kind.kind in NUMBERS:
            return np.frombuffer(raw.numpy().tobytes(), kind).reshape(shape).copy()
    except (TypeError, ValueError):
        pass
    raise DataError(f"the checkpoint holds an array of {dtype!r} and {shape!r}: it was not written by this library.")


def _pairs(rows: list[Any], tensors: Mapping[str, Tensor], device: torch.device, own: Any) -> Iterable[tuple[Any, Any]]:
    for row in rows:
        if not isinstance(row, list) or len(row) != 2:
            raise DataError("the checkpoint holds a pair that is none: it was not written by this library.")
        key = unpack(row[0], tensors, device)
        yield key, unpack(row[1], tensors, device, _at(own, key))


def _at(own: Any, key: Any) -> Any:
    try:
        return own[key]
    except (LookupError, TypeError):
        return None


def _word(key: Any) -> str:
    """A key as a part of a name that a file can hold."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(key)) or "?"
