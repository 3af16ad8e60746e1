"""State that no checkpoint can hold, because nobody says that it is there: found by what changes between two looks."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.utils.data import IterableDataset

from truestep.core.updates import HandWritten
from truestep.data.batches import LoaderSource
from truestep.fit.state import modules

if TYPE_CHECKING:
    from truestep.fit.loop import Loop

DEPTH, MOST = 3, 64  # how deep to look into lists and dicts, and how many of their items
Marks = dict[str, Any]
"""Where -> something that changes with what is there: a number itself, or a tensor's identity and version."""


def look(loop: Loop) -> tuple[Marks, Marks]:
    """The marks of the attributes of modules that are no buffers, and of what a hand-written updater reaches."""
    attributes: Marks = {}
    for path, module in modules(loop).items():
        if type(module).get_extra_state is not nn.Module.get_extra_state:  # it says itself what it keeps
            continue
        for name, value in vars(module).items():
            if not name.startswith("_") and name != "training":
                attributes |= _marks(value, f"{path}.{name}", 1)
    updates, reached = loop.step.updates, Marks()
    if isinstance(updates, HandWritten) and not callable(getattr(updates.updater, "state_dict", None)):
        known = {id(parameter) for parameter in updates.parameters}
        for name, value in _reached(updates.updater):
            reached |= _marks(value, name, DEPTH, known)
    return attributes, reached


def sentences(loop: Loop, before: tuple[Marks, Marks]) -> list[str]:
    """What changed since `before` and will not come back, and what of the data cannot."""
    attributes, reached = (_changed(a, b) for a, b in zip(before, look(loop), strict=True))
    found = []
    if attributes:
        found.append(
            f"{', '.join(attributes)} changes while the model trains and is no buffer, so no checkpoint holds it: "
            "register_buffer makes it one."
        )
    if reached:
        found.append(
            f"the updater keeps {', '.join(reached)} to itself, so no checkpoint holds it: give the updater "
            "state_dict() and load_state_dict(state)."
        )
    return found + _of_data(loop)


def _of_data(loop: Loop) -> list[str]:
    source = loop.batches
    if not isinstance(source, LoaderSource):
        return []
    loader, name = source.loader, type(source.loader.dataset).__name__
    if loader.persistent_workers:
        return [
            f"the loader keeps its workers, whose random states no checkpoint can hold: if {name} draws there, leave "
            "out persistent_workers."
        ]
    if isinstance(loader.dataset, IterableDataset) and not loader.num_workers:
        return [
            f"a resumed run goes over {name} again from the start of its epoch: if it draws at random between two "
            "batches, num_workers=1 makes these draws come back."
        ]
    return []


def _reached(updater: Any) -> Iterator[tuple[str, Any]]:
    """What a function or object can see and change: its closure, defaults, attributes, and the globals it names."""
    if isinstance(updater, functools.partial):
        yield from _reached(updater.func)
        yield from ((f"argument {number}", value) for number, value in enumerate(updater.args))
        yield from updater.keywords.items()
        return
    owner = getattr(updater, "__self__", updater)
    yield from getattr(owner, "__dict__", {}).items()
    function: Any = getattr(updater, "__func__", updater if hasattr(updater, "__code__") else type(updater).__call__)
    code = getattr(function, "__code__", None)
    if code is None:
        return
    cells = zip(code.co_freevars, function.__closure__ or (), strict=False)
    yield from ((name, cell.cell_contents) for name, cell in cells if _is_filled(cell))
    defaults = function.__defaults__ or ()
    yield from zip(code.co_varnames[code.co_argcount - len(defaults) :], defaults, strict=False)
    yield from ((name, function.__globals__[name]) for name in code.co_names if name in function.__globals__)


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _marks(value: Any, path: str, depth: int, known: Any = ()) -> Marks:
    if isinstance(value, Tensor):
        return {} if id(value) in known or value.requires_grad else {path: (id(value), value._version)}
    if isinstance(value, bool | int | float):
        return {path: repr(value)}  # NaN equals itself so
    items: Any = ()
    if depth and isinstance(value, Mapping):
        items = value.items()
    elif depth and isinstance(value, list | tuple):
        items = enumerate(value)
    if not items or len(value) > MOST:
        return {}
    found: Marks = {}
    for _, one in items:  # named after the whole: velocity, and not velocity.0, velocity.1, ...
        for number, mark in enumerate(_marks(one, path, depth - 1, known).values()):
            found[f"{path}\n{len(found)}.{number}"] = mark
    return found


def _changed(before: Marks, now: Marks) -> list[str]:
    names = [path.partition("\n")[0] for path in {**now, **before} if before.get(path) != now.get(path)]
    return list(dict.fromkeys(names))
