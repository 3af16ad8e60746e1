"""What stands behind a loader or beside a list: generators that a dataset draws with, lists of the same length."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from zlib import crc32

import torch

from truestep.check import site
from truestep.check.events import Op

if TYPE_CHECKING:
    from truestep.check.recorder import Recorder

MOST, FEW = 200_000, 1 << 14
MADE = 400
"""Arrays of a run that are looked at beside generators."""


def generators(dataset: Any) -> tuple[str, ...]:
    """The random generators that a dataset, or what it calls, holds and uses outside of its `__init__`."""
    found = list(_drawn(dataset, ""))
    for name, held in list(getattr(dataset, "__dict__", {}).items())[:50]:
        if callable(held) and hasattr(held, "__dict__"):
            found += _drawn(held, f"{name}.")
    return tuple(found)


def _drawn(owner: Any, prefix: str) -> Iterator[str]:
    methods = [
        value
        for kind in type(owner).__mro__
        for name, value in vars(kind).items()
        if name != "__init__" and hasattr(value, "__code__")
    ]
    used = {word for method in methods for word in method.__code__.co_names}
    for name, value in list(getattr(owner, "__dict__", {}).items())[:50]:
        if name in used and _generator(value):
            yield f"{prefix}{name}"


def drawn(recorder: Recorder, array: Any) -> None:
    """Write an `Op` "generated" where an array becomes a tensor beside generators that have names there.

    Its arguments are a digest of the array, its shape, whether it holds real numbers, and the names of the generators
    with digests of their states.
    """
    frame = site.frame()
    if frame is None or type(array).__module__ != "numpy" or not 1 < array.size <= FEW or array.dtype == object:
        return
    states = tuple(
        (name, crc32(repr(_state(value)).encode())) for name, value in list(frame.f_locals.items()) if _generator(value)
    )
    if states and recorder.generated < MADE:
        recorder.generated += 1
        told = (crc32(array.tobytes()), tuple(array.shape), array.dtype.kind == "f", states)
        recorder.emit(Op, name="generated", args=told, words={}, out=(), grad=torch.is_grad_enabled())


def _state(generator: Any) -> Any:
    """The state of a generator, which reading leaves as it is."""
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, torch.Generator):
        return generator.get_state().numpy().tobytes()
    if hasattr(generator, "bit_generator"):
        return [str(each) for each in generator.bit_generator.state.items()]
    return [each.tobytes() if hasattr(each, "tobytes") else each for each in generator.get_state()]


def _generator(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    kinds = (numpy.random.Generator, numpy.random.RandomState) if numpy is not None else ()
    return isinstance(value, (random.Random, torch.Generator, *kinds))


def beside(shuffled: Any) -> tuple[tuple[str, int, tuple[Any, ...]], ...]:
    """The other lists as long as this one under the user's innermost names: name, distinct items, the first 64."""
    frame = site.frame()
    if frame is None or len(shuffled) > MOST:
        return ()
    return tuple(
        (name, len(set(held)), tuple(held[:64]))
        for name, held in list(frame.f_locals.items())
        if isinstance(held, list) and held is not shuffled and len(held) == len(shuffled)
        and all(isinstance(each, bool | int | float | str) for each in held)
    )  # fmt: skip
