"""What stands behind a loader or beside a list: generators that a dataset draws with, lists of the same length."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from functools import partial
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any
from zlib import crc32

import torch
from torch import Tensor
from torch.utils.data import Dataset

from truestep.check import site
from truestep.check.events import Op
from truestep.check.looks import LARGEST, digest, plain
from truestep.check.points import LARGEST as WIDEST
from truestep.check.points import OWN, TALL, columns, standard

if TYPE_CHECKING:
    from truestep.check.recorder import Recorder

MOST, FEW = 200_000, 1 << 14
ITEMS = 8
AGAIN = {"manual_seed", "set_state", "setstate"}
"""What a method calls that sets its generator to a state of its own for each item."""
LISTED = 1 << 10
MADE = 400
"""Arrays of a run that are looked at beside generators."""
Table = tuple[int, tuple[int, ...], tuple[float, ...]]
"""The number of a tensor or an array, its shape, and what its columns have."""


def generators(dataset: Any) -> tuple[str, ...]:
    """The random generators that a dataset, or what it calls, holds and uses outside of its `__init__`."""
    found = list(_drawn(dataset, ""))
    for name, held in list(getattr(dataset, "__dict__", {}).items())[:50]:
        if callable(held) and hasattr(held, "__dict__"):
            found += _drawn(held, f"{name}.")
    return tuple(dict.fromkeys(found))


def _drawn(owner: Any, prefix: str) -> Iterator[str]:
    methods = [owner] if isinstance(owner, FunctionType) else [
        value
        for kind in type(owner).__mro__
        for name, value in vars(kind).items()
        if name != "__init__" and isinstance(value, FunctionType) and site.users(value.__code__)
    ]  # fmt: skip
    own = dict(list(getattr(owner, "__dict__", {}).items())[:50])
    for method in methods:
        words = set(method.__code__.co_names)
        for name in words:
            held = own.get(name, method.__globals__.get(name))
            if _generator(held) and not words & (AGAIN | ({"seed"} if hasattr(held, "seed") else set())):
                yield f"{prefix}{name}" if name in own else name


def reaches(function: Any, dataset: Any) -> bool:
    """Whether a `worker_init_fn` may reach the generators of a dataset, as far as the names in it tell.

    It may by the copy that each worker has, by the dataset's or the generator's own name, or by ways that nobody knows.
    """
    while isinstance(function, partial):
        function = function.func if not (function.args or function.keywords) else None
        if function is None:
            return True
    if function is None:
        return False
    ways = {"get_worker_info", "dataset", *(name.rpartition(".")[2] for name in generators(dataset))}
    waiting, known = [function], set[int]()
    while waiting:
        one = waiting.pop()
        code = getattr(one, "__code__", None)
        if code is None or code.co_freevars:
            return True
        known.add(id(one))
        words = {word for each in _codes(code) for word in each.co_names}
        held = [value for word, value in one.__globals__.items() if word in words]
        if words & ways or any(value is dataset or isinstance(value, Dataset) for value in held):
            return True
        for value in held:
            if isinstance(value, FunctionType) and site.users(value.__code__) and id(value) not in known:
                waiting.append(value)
            elif not callable(value) and not isinstance(value, ModuleType | bool | int | float | str | type(None)):
                return True
    return False


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code, and those of the functions in it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


def stored(dataset: Any) -> tuple[tuple[str, int], ...]:
    """The tensors, arrays and lists that a dataset holds, by name, with a digest of each; large ones in part."""
    found = []
    for name, value in list(getattr(dataset, "__dict__", {}).items())[:50]:
        held = _parts(value)
        marks = [mark for mark in map(_mark, held) if mark is not None]
        if marks:
            found.append((name, crc32(repr(marks).encode())))
    return tuple(found)


def _parts(value: Any) -> list[Any]:
    """What one attribute holds: of a tuple, of a dict, and of a list of tensors or arrays, the first of each."""
    if isinstance(value, dict):
        return list(value.values())[:20]
    listed = isinstance(value, list) and value and (isinstance(value[0], Tensor) or hasattr(value[0], "dtype"))
    return list(value)[:20] if isinstance(value, tuple) or listed else [value]


def tables(recorder: Recorder, dataset: Any) -> Iterator[Table]:
    """The tables that a dataset holds whose columns were standardised by themselves, as `LoaderMade` tells them.

    So were series whose windows are its rows; what follows a window may stand in another table of the dataset.
    """
    values = list(getattr(dataset, "__dict__", {}).values())[:50]
    found = [each for value in values for each in (value[:ITEMS] if isinstance(value, tuple) else (value,))]
    held = [(each, table) for each in found if (table := _table(each)) is not None]
    for each, table in held:
        told = columns(table, [other for _, other in held if other is not table])
        if told is not None and any(standard(told, place) for place in OWN):
            yield recorder.numbers.of(each), tuple(table.shape), tuple(told)


def by_rows(dataset: Any, size: int | None) -> Iterator[Tensor]:
    """The tensors that a dataset holds with one row for each of its items, in order: `size`, where that is known."""
    for value in list(getattr(dataset, "__dict__", {}).values())[:50]:
        for each in value[:ITEMS] if isinstance(value, tuple) else (value,):
            if isinstance(each, Tensor) and each.dim() and size in (None, each.shape[0]):
                yield each


def _table(value: Any) -> Tensor | None:
    """A tensor, or an array as one, that holds real numbers and can be read."""
    if type(value).__module__ == "numpy" and getattr(value, "ndim", 0) and value.dtype.kind == "f":
        small = len(value) >= TALL and value.size <= WIDEST and value.dtype.itemsize <= 8 and value.dtype.isnative
        return torch.as_tensor(value.copy()) if small else None
    real = isinstance(value, Tensor) and plain(value) and value.dim() > 0 and value.is_floating_point()
    return value.detach() if real and len(value) >= TALL and value.numel() <= WIDEST else None


def inner(dataset: Any, depth: int = 3) -> Iterator[Any]:
    """The data sets that one is made of, as those that are joined or wrapped."""
    for value in list(getattr(dataset, "__dict__", {}).values())[:50]:
        for each in value[:ITEMS] if isinstance(value, list | tuple) else [value]:
            if isinstance(each, Dataset) and depth:
                yield each
                yield from inner(each, depth - 1)


def _mark(value: Any) -> int | None:
    """A digest of what holds at least a few items; None for anything else."""
    if isinstance(value, Tensor) and plain(value) and value.dim() and value.shape[0] >= ITEMS:
        look = digest(value.detach()[:: 1 + value.numel() // LARGEST])
        return look and look.mark
    array: Any = value
    if type(array).__module__ == "numpy" and getattr(array, "ndim", 0) and len(array) >= ITEMS:
        part = array[:: 1 + array.size // LARGEST]
        return None if array.dtype == object else crc32(part.tobytes())
    if isinstance(value, list) and len(value) >= ITEMS:
        few = value[:ITEMS] + value[-ITEMS:]
        plainly = all(isinstance(each, bool | int | float | str | tuple) for each in few)
        return crc32(repr((len(value), few)).encode()) if plainly and "object at" not in repr(few) else None
    return None


def drawn(recorder: Recorder, array: Any) -> None:
    """Write an `Op` "generated" where an array or a list becomes a tensor beside generators that have names there.

    Its arguments are a digest of the array, its shape, whether it holds real numbers, and the names of the generators
    with digests of their states.
    """
    frame, told = site.frame(), _digested(array)
    if frame is None or told is None:
        return
    states = tuple(
        (name, crc32(repr(_state(value)).encode())) for name, value in list(frame.f_locals.items()) if _generator(value)
    )
    if states and recorder.generated < MADE:
        recorder.generated += 1
        recorder.emit(Op, name="generated", args=(*told, states), words={}, out=(), grad=torch.is_grad_enabled())


def _digested(array: Any) -> tuple[int, tuple[int, ...], bool] | None:
    """A digest, the shape, and whether these are real numbers that no one wrote down one by one."""
    if isinstance(array, list):
        few = 1 < len(array) <= LISTED and {int, float}.issuperset(map(type, array))
        return (crc32(repr(array).encode()), (len(array),), False) if few else None
    if type(array).__module__ != "numpy" or not 1 < array.size <= FEW or array.dtype == object:
        return None
    return crc32(array.tobytes()), tuple(array.shape), array.dtype.kind == "f"


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
    """The other lists as long as this one under the user's innermost names, or in what `self` holds: name, distinct
    items, the first 64.
    """
    frame = site.frame()
    if frame is None or len(shuffled) > MOST:
        return ()
    names = list(frame.f_locals.items())
    own = getattr(frame.f_locals.get("self"), "__dict__", {})
    names += [(f"self.{name}", held) for name, held in list(own.items())[:50]]
    return tuple(
        (name, len(set(held)), tuple(held[:64]))
        for name, held in names
        if isinstance(held, list) and held is not shuffled and len(held) == len(shuffled)
        and all(isinstance(each, bool | int | float | str) for each in held)
    )  # fmt: skip
