"""Replaces functions of torch while somebody's program runs, and puts everything back."""

from __future__ import annotations

import functools
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from types import FrameType, FunctionType
from typing import Any

from torch.utils.hooks import RemovableHandle

from truestep.check.frames import relay

_own = count(-1, -1)
_THEIRS = {"torch", "truestep"}
_PYTHONS = sysconfig.get_path("stdlib")
_held: list[list[tuple[dict[str, Any], frozenset[int]]]] = []
Around = Callable[..., Any]
"""`around(what it was, *args, **kwargs)` does what the function did, and looks."""


def replaced(place: Any, name: str, around: Around) -> AbstractContextManager[None]:
    """Inside, `place.name(...)` is `around(what it was, ...)`; names of other modules that hold it follow."""

    def made(was: Any) -> Any:
        if isinstance(was, FunctionType):
            return lambda *args, **words: around(was, *args, **words)
        return lambda *args, **words: around(called(was, sys._getframe(1)), *args, **words)

    return exchanged(place, name, made)


def called(was: Any, caller: FrameType) -> Callable[..., Any]:
    """A function in C as if that frame called it: where it warns, it names the innermost frame of python."""
    return functools.partial(relay(caller), was)


@contextmanager
def exchanged(place: Any, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    """Inside, `place.name` is what `make` makes of what it was; names of other modules that hold it follow."""
    owned = name in vars(place)
    was = getattr(place, name)
    call = functools.wraps(was)(make(was))
    setattr(place, name, call)
    early = [] if isinstance(place, type) else _holders(was)
    for names, key in early:
        names[key] = call
    try:
        yield
    finally:
        if owned:
            setattr(place, name, was)
        else:
            delattr(place, name)
        for names, key in early:
            if names.get(key) is call:
                names[key] = was
        if not isinstance(place, type):
            for names, key in _holders(call):  # those that were imported inside
                names[key] = was


@contextmanager
def at_once() -> Iterator[None]:
    """Inside, where nothing of the user's runs, it is looked up once who holds which function, and not for each."""
    _held.append(_looked_up())
    try:
        yield
    finally:
        _held.pop()


def _holders(function: Any) -> list[tuple[dict[str, Any], str]]:
    """The user's modules that hold a function under a name of theirs."""
    known = _held[-1] if _held else _looked_up()
    holders = [names for names, held in known if id(function) in held]
    return [(names, key) for names in holders for key, value in list(names.items()) if value is function]


def _looked_up() -> list[tuple[dict[str, Any], frozenset[int]]]:
    """The names of each module that may be the user's, and which objects they name."""
    found = []
    for module in list(sys.modules.values()):
        title, names = getattr(module, "__name__", None), getattr(module, "__dict__", None)
        if isinstance(title, str) and isinstance(names, dict) and _may_hold(title.partition(".")[0], names):
            found.append((names, frozenset(map(id, list(names.values())))))
    return found


def _may_hold(package: str, names: dict[str, Any]) -> bool:
    """Whether a module may be the user's: Python's own hold nothing that is exchanged, users' may bear their names."""
    file = names.get("__file__")
    pythons = package in sys.stdlib_module_names and (not isinstance(file, str) or file.startswith(_PYTHONS))
    return package not in _THEIRS and not pythons


@contextmanager
def hooked(handle: RemovableHandle) -> Iterator[None]:
    """Take a hook of torch's away at the end. It has just been registered.

    Torch counts all hooks, and programs print these numbers: ours is negative, and the next one is as if it were not.
    """
    given, handle.id, RemovableHandle.next_id = handle.id, next(_own), RemovableHandle.next_id - 1
    for reference in (handle.hooks_dict_ref, *handle.extra_dict_ref):
        held = reference()
        if held is not None and given in held:
            held[handle.id] = held.pop(given)
    try:
        yield
    finally:
        handle.remove()
