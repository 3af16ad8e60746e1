"""Random states: those of the process, and those of generators that the data hold."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from truestep.core.batch import CPU
from truestep.core.errors import DataError

Generator = torch.Generator | np.random.Generator | np.random.RandomState | random.Random
KINDS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
DEPTH = 4  # a transform in a list of a data set of a Subset of a loader


class _Apart:
    """A context whose draws leave the random state of the processor as it is."""

    def __enter__(self) -> None:
        self._before = torch.default_generator.get_state()

    def __exit__(self, *_: object) -> None:
        torch.default_generator.set_state(self._before)


def apart(device: torch.device) -> AbstractContextManager[None]:
    """Draws inside leave the caller's random state as it is, that of the processor and that of `device`."""
    if device == CPU:
        return _Apart()
    devices = [] if device.type == "mps" else [device]
    return torch.random.fork_rng(devices, device_type=device.type if devices else "cuda")


def states(devices: Sequence[torch.device]) -> dict[str, Any]:
    """The states of Python's, numpy's and torch's global generators, those of `devices` included."""
    return {
        "python": _of(random),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "devices": {str(one): torch.get_device_module(one).get_rng_state(*_which(one)) for one in devices},
    }


def put_back(found: dict[str, Any], devices: Sequence[torch.device]) -> None:
    """Set the global generators to what `states` found; a device that it did not know keeps its own.

    Raises:
        DataError: for states that are none.
    """
    try:
        _set(random, found["python"])
        np.random.set_state(found["numpy"])
        torch.set_rng_state(found["torch"].cpu())
        for one in devices:
            if str(one) in found["devices"]:
                torch.get_device_module(one).set_rng_state(found["devices"][str(one)].cpu(), *_which(one))
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as failure:
        raise DataError(f"the checkpoint holds no random state that fits here: {failure}.") from failure


def generators(data: Any) -> dict[str, Generator]:
    """The generators that a loader, its sampler or a data set hold themselves, by where they are found."""
    found: dict[str, Generator] = {}
    seen: set[int] = set()
    parts = [("data", data)]
    if isinstance(data, DataLoader):
        names = ("generator", "sampler", "batch_sampler", "dataset", "collate_fn")
        parts = [(name, getattr(data, name, None)) for name in names]
    for name, part in parts:
        for path, one in _walk(part, name, DEPTH):
            if id(one) not in seen:
                seen.add(id(one))
                found[path] = one
    return found


def states_of(held: dict[str, Generator]) -> dict[str, Any]:
    """The state of each generator."""
    return {path: _of(one) for path, one in held.items()}


def put_back_of(held: dict[str, Generator], found: dict[str, Any]) -> None:
    """Set each generator to its state.

    Raises:
        DataError: where a generator has none among them.
    """
    for path, one in held.items():
        if path not in found:
            raise DataError(f"the checkpoint holds no state for the generator {path}: give the data of that run.")
        _set(one, found[path])


def _walk(tree: Any, path: str, depth: int) -> Iterator[tuple[str, Generator]]:
    if isinstance(tree, KINDS):
        yield path, tree
    elif depth and isinstance(tree, list | tuple) and len(tree) <= 32:
        for number, value in enumerate(tree):
            yield from _walk(value, f"{path}.{number}", depth - 1)
    elif depth and hasattr(tree, "__dict__") and not isinstance(tree, type):
        for name, value in vars(tree).items():
            yield from _walk(value, f"{path}.{name}", depth - 1)


def _of(one: Any) -> Any:
    if isinstance(one, torch.Generator):
        return one.get_state()
    if isinstance(one, np.random.Generator):
        return one.bit_generator.state
    if isinstance(one, np.random.RandomState):
        return one.get_state()
    version, words, gauss = one.getstate()
    return version, np.array(words, np.int64), gauss


def _set(one: Any, state: Any) -> None:
    if isinstance(one, torch.Generator):
        one.set_state(state.cpu())
    elif isinstance(one, np.random.Generator):
        one.bit_generator.state = state
    elif isinstance(one, np.random.RandomState):
        one.set_state(state)
    else:
        version, words, gauss = state
        one.setstate((version, tuple(int(word) for word in words), gauss))


def _which(device: torch.device) -> list[torch.device]:
    return [] if device.type == "mps" else [device]  # of mps there is one
