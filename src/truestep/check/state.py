"""Watches what is taken, copied, saved and loaded of modules and optimizers, and what is printed."""

from __future__ import annotations

import builtins
import copy
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from truestep.check import arrays, casts
from truestep.check.calls import Calls
from truestep.check.changes import Saved, StateLoaded, StateTaken
from truestep.check.events import Op, Printed
from truestep.check.looks import parts, seen, tensors
from truestep.check.patches import exchanged, hooked, replaced
from truestep.check.points import columns
from truestep.check.recorder import Recorder
from truestep.check.sources import drawn
from truestep.check.weights import mark


def watches(recorder: Recorder) -> Iterator[AbstractContextManager[None]]:
    """Everything that is hooked or replaced for modules and their state."""
    calls = Calls(recorder)
    yield exchanged(nn.Module, "__call__", calls.watched)
    yield hooked(register_module_parameter_registration_hook(calls.given))
    yield replaced(nn.Module, "__init__", calls.made)
    yield replaced(nn.Module, "train", calls.train)
    states = _States(recorder)
    for kind, of in ((nn.Module, "module"), (Optimizer, "optimizer"), (LRScheduler, "scheduler")):
        yield replaced(kind, "state_dict", lambda run, one, *a, of=of, **k: states.taken(of, run, one, a, k))
        yield replaced(kind, "load_state_dict", lambda run, one, *a, of=of, **k: states.loaded(of, run, one, a, k))
    yield arrays.watched(recorder)
    yield casts.watched(recorder)
    yield replaced(torch, "from_numpy", lambda run, array: _from_numpy(recorder, run, array))
    yield replaced(torch, "save", states.save)
    yield replaced(torch, "load", states.load)
    yield replaced(copy, "deepcopy", states.copied)
    yield replaced(shutil, "copyfile", states.filed)
    yield replaced(builtins, "print", lambda run, *a, **k: _print(recorder, run, a, k))


class _States:
    """State dicts, files and copies."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._inside = recorder, False
        self._files: set[str] = set()  # that were saved
        self._owners: dict[int, tuple[str, int, int]] = {}  # a state dict's number -> whose, with the weights' mark

    def taken(self, of: str, run: Any, one: Any, args: Any, words: Any) -> Any:
        """A state dict is made."""
        recorder = self._recorder
        if self._inside or not recorder.awake:
            return run(one, *args, **words)
        self._inside = True
        try:
            found = run(one, *args, **words)
        finally:
            self._inside = False
        with recorder.looking:
            owner, state = recorder.numbers.of(one), recorder.numbers.of(found)
            storages = tuple(recorder.numbers.storage(each) for each in tensors(found))
            weights = mark(one.parameters()) if isinstance(one, nn.Module) else 0
            if state:
                self._owners[state] = (of, owner, weights)
            recorder.emit(StateTaken, of=of, owner=owner, state=state, storages=storages, weights=weights)
            recorder.snapshot("state_dict")
        return found

    def loaded(self, of: str, run: Any, one: Any, args: Any, words: Any) -> Any:
        """A state dict is loaded."""
        recorder = self._recorder
        if self._inside or not recorder.awake:
            return run(one, *args, **words)
        state = args[0] if args else words.get("state_dict", {})
        strict = bool(args[1] if len(args) > 1 else words.get("strict", True))
        facts = {"entries": 0, "given": 0, "matched": 0, "shared": 0, "same": False}
        with recorder.looking:
            facts["given"] = len(state)
            if of == "module":
                facts |= _compared(one, state)
        self._inside = True
        try:
            found = run(one, *args, **words)
        finally:
            self._inside = False
        with recorder.looking:
            facts["weights"] = mark(one.parameters()) if isinstance(one, nn.Module) else 0
            recorder.emit(StateLoaded, of=of, owner=recorder.numbers.of(one), strict=strict, **facts)
            recorder.snapshot("load_state_dict")
        return found

    def save(self, run: Any, obj: Any, *args: Any, **words: Any) -> Any:
        """Something is written to a file."""
        self._files.add(_path(args[0] if args else words.get("f")))
        return self._whole("save", run, obj, obj, args, words)

    def filed(self, run: Any, *args: Any, **words: Any) -> Any:
        """A file is copied, by `shutil.copy` too."""
        found = run(*args, **words)
        recorder = self._recorder
        if recorder.awake and self._files:
            with recorder.looking:
                path = _path(args[0] if args else words.get("src"))
                if path and path in self._files:
                    recorder.emit(Saved, how="copyfile", keys=(), modules=(), optimizers=(), tensors=0)
                    recorder.snapshot("copyfile")
        return found

    def load(self, run: Any, *args: Any, **words: Any) -> Any:
        """Something is read from a file."""
        found = run(*args, **words)
        recorder = self._recorder
        if recorder.awake:
            with recorder.looking:
                self._tell("load", found)
        return found

    def copied(self, run: Any, x: Any, *args: Any, **words: Any) -> Any:
        """Something is copied whole."""
        if _bare(x):
            return run(x, *args, **words)
        return self._whole("deepcopy", run, x, x, args, words)

    def _whole(self, how: str, run: Any, first: Any, what: Any, args: Any, words: Any) -> Any:
        recorder = self._recorder
        if recorder.awake and not self._inside:
            with recorder.looking:
                self._tell(how, what)
        inside, self._inside = self._inside, True
        try:
            return run(first, *args, **words)
        finally:
            self._inside = inside

    def _tell(self, how: str, what: Any) -> None:
        recorder = self._recorder
        held = list(parts(what))
        count = sum(1 for _ in tensors(what, 4))
        known = [self._owners.get(recorder.numbers.knows(each)) for each in held]
        owners = [owner for owner in known if owner is not None]
        numbers = recorder.numbers.of
        modules = {number for of, number, _ in owners if of == "module"}
        weights = [weight for of, _, weight in owners if of == "module"]
        weights += [mark(each.parameters()) for each in held if isinstance(each, nn.Module)]
        modules |= {numbers(each) for each in held if isinstance(each, nn.Module)}
        optimizers = {numbers(each) for each in held if isinstance(each, Optimizer)}
        for each in held:
            if isinstance(each, dict) and {"state", "param_groups"} <= set(each):
                optimizers.add(0)  # an optimizer's state: a plain dict, so it does not tell whose
        keys = tuple(str(key) for key in what) if isinstance(what, dict) else ()
        counts = tuple(key for key in keys if type(what.get(key)) is int)
        recorder.emit(
            Saved, how=how, keys=keys, modules=tuple(modules), optimizers=tuple(optimizers), tensors=count,
            weights=tuple(weights), counts=counts,
        )  # fmt: skip
        recorder.snapshot(how)


def _path(file: Any) -> str:
    """Where a file lies; empty for what is open already."""
    return os.path.realpath(file) if isinstance(file, str | os.PathLike) else ""


def _bare(value: Any) -> bool:
    """Whether this is a number, a word or an array, or a list of them: environments copy theirs at each step."""
    if type(value) in (list, tuple):
        return all(_bare(each) for each in value)
    return value is None or isinstance(value, int | float | str) or type(value).__module__ == "numpy"


def _compared(module: nn.Module, state: Any) -> dict[str, Any]:
    """How a state fits a module, before it is loaded."""
    own = {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }
    pairs = [(held, state[name]) for name, held in own.items() if isinstance(state.get(name), Tensor)]
    shared = sum(a.untyped_storage()._cdata == b.untyped_storage()._cdata for a, b in pairs)
    same = bool(pairs) and all(a.shape == b.shape and bool((a == b).all()) for a, b in pairs)
    return {"entries": len(own), "given": len(state), "matched": len(pairs), "shared": shared, "same": same}


def _from_numpy(recorder: Recorder, run: Any, array: Any) -> Any:
    found = run(array)
    if recorder.awake and recorder.close and recorder.counted():
        with recorder.looking:
            within = tuple(recorder.modules)
            drawn(recorder, array)
            recorder.codes.take(recorder, array, found)
            table = None if recorder.fetching else columns(found)
            words = {"memory": _memory(recorder, array), "columns": table}
            recorder.emit(
                Op, name="from_numpy", args=("ndarray",), words=words,
                out=(seen(found, recorder.numbers, False, True),), grad=torch.is_grad_enabled(),
                module=within[-1] if within else 0, within=within,
            )  # fmt: skip
    return found


def _memory(recorder: Recorder, array: Any) -> tuple[int, int, int]:
    """The array below all views, and where this one lies in it, in bytes."""
    base = array
    while type(base.base) is type(array):
        base = base.base
    start = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    return recorder.numbers.of(base), start, base.nbytes


def _print(recorder: Recorder, run: Any, args: Any, words: Any) -> None:
    if recorder.awake:
        with recorder.looking:
            told = (str(each) if _told(each) else "..." for each in args)
            recorder.emit(Printed, text=" ".join(told))
            recorder.snapshot("print")
    run(*args, **words)


def _told(value: Any, depth: int = 3) -> bool:
    """Whether a value is plain, or holds nothing but plain ones: what it prints is no tensor's."""
    if isinstance(value, str | bool | int | float):
        return True
    inside = value.values() if type(value) is dict else value if type(value) in (list, tuple) else None
    return inside is not None and depth > 0 and len(value) <= 64 and all(_told(each, depth - 1) for each in inside)
