"""What a hand-written updater or a module keeps for itself: found through closures and attributes, and put back."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from truestep.core.step import TrainStep
from truestep.core.updates import HandWritten
from truestep.explain.preserve import preserved

PLAIN = {"_parameters", "_buffers", "_modules", "training"}  # of a module: these have owners of their own
Undo = Callable[[], Any]


@contextmanager
def undone(step: TrainStep) -> Iterator[None]:
    """Whatever a step does inside is undone: what it owns, to the bit, and what its parts keep for themselves."""
    with preserved(step), kept_state(step):
        yield


@contextmanager
def kept_state(step: TrainStep) -> Iterator[None]:
    """Whatever the updater reaches by name and the modules keep as attributes ends as it was.

    Tensors, lists, dicts and attributes are followed; what lies in a compiled extension, a file or a generator is not.
    """
    undo: list[Undo] = []
    seen = {id(parameter) for parameter in step.updates.parameters}
    if isinstance(step.updates, HandWritten):
        _note(step.updates.updater, undo, seen)
    for module in step.model.modules() if isinstance(step.model, nn.Module) else ():
        own = {name: value for name, value in vars(module).items() if name not in PLAIN and "hook" not in name}
        undo.append(functools.partial(vars(module).update, own))
        for value in own.values():
            _note(value, undo, seen, attributes=False)
    try:
        yield
    finally:
        with torch.no_grad():
            for one in undo:
                one()


def _note(value: Any, undo: list[Undo], seen: set[int], attributes: bool = True) -> None:
    """Record how to put `value` and what it holds back as it is now."""
    if id(value) in seen or isinstance(value, type | nn.Module) or inspect.ismodule(value):
        return
    seen.add(id(value))
    if isinstance(value, Tensor):
        undo.append(functools.partial(value.copy_, value.detach().clone()))
        return
    if isinstance(value, list):
        undo.append(functools.partial(value.__setitem__, slice(None), list(value)))
    elif isinstance(value, dict):
        undo.append(functools.partial(_refill, value, dict(value)))
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for one in (*inner, *(_reached(value, undo) if attributes else ())):
        _note(one, undo, seen, attributes)


def _reached(value: Any, undo: list[Undo]) -> list[Any]:
    """What a callable reaches beyond its arguments: the names in its closure and its own globals, or its attributes."""
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if inspect.ismethod(value):
        return [value.__self__, value.__func__]
    if inspect.isfunction(value):
        try:
            named = inspect.getclosurevars(value)
        except ValueError:  # a name that has no value yet
            return []
        for cell in value.__closure__ or ():
            undo.append(functools.partial(setattr, cell, "cell_contents", cell.cell_contents))
        reached = {name: one for name, one in named.globals.items() if not inspect.isroutine(one)}
        undo.append(functools.partial(value.__globals__.update, reached))
        return [*named.nonlocals.values(), *reached.values()]
    own = callable(value) or isinstance(value, torch.optim.Optimizer)
    if own and hasattr(value, "__dict__") and not inspect.isbuiltin(value):
        return [vars(value)]
    return []


def _refill(held: dict[Any, Any], before: dict[Any, Any]) -> None:
    held.clear()
    held.update(before)
