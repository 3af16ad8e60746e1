"""What torch traces or compiles is let be: a compiler would take what we do for the program's own."""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch
from torch import nn

from truestep.check.patches import replaced
from truestep.check.recorder import Recorder

TRACERS = {
    "torch.jit": ("trace", "trace_module", "script"),
    "torch.export": ("export",),
    "torch.onnx": ("export",),
    "torch.fx": ("symbolic_trace",),
}


def watches(recorder: Recorder) -> Iterator[AbstractContextManager[None]]:
    """What has to be replaced while the watch lasts."""
    yield replaced(torch, "compile", partial(_compiling, recorder))
    for name in TRACERS.keys() & sys.modules.keys():
        yield from _tracers(recorder, name)
    yield _loaded_later(recorder, TRACERS.keys() - sys.modules.keys())


def _tracers(recorder: Recorder, name: str) -> Iterator[AbstractContextManager[None]]:
    for function in TRACERS[name]:
        how = _scripted if function == "script" else _unseen
        yield replaced(sys.modules[name], function, partial(how, recorder))


@contextmanager
def _loaded_later(recorder: Recorder, names: set[str]) -> Iterator[None]:
    """Inside, these modules are seen being loaded: torch loads some only when they are first used."""
    with ExitStack() as stack:
        finder = _Finder(names, lambda name: [stack.enter_context(each) for each in _tracers(recorder, name)])
        sys.meta_path.insert(0, finder)
        try:
            yield
        finally:
            sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    """Finds what the others find, and tells when it is loaded."""

    def __init__(self, names: set[str], tell: Callable[[str], Any]) -> None:
        self._names, self._tell, self._asking = names, tell, False

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """How a module is loaded; None leaves it to the others."""
        if fullname not in self._names or self._asking:
            return None
        self._asking = True
        try:
            found = importlib.util.find_spec(fullname)
        finally:
            self._asking = False
        if found is not None and found.loader is not None:
            self._around(fullname, found.loader)
        return found

    def _around(self, name: str, loader: Any) -> None:
        load = loader.exec_module

        def loaded(module: ModuleType) -> None:
            del loader.exec_module
            load(module)
            self._tell(name)

        loader.exec_module = loaded


def compiled(module: nn.Module) -> bool:
    """Whether a call of this module is a compiled program's: `torch.compile(module)` or `module.compile()`."""
    if getattr(module, "_compiled_call_impl", None) is not None:
        return True
    found = sys.modules.get("torch._dynamo.eval_frame")
    return found is not None and isinstance(module, found.OptimizedModule)


def _unseen(recorder: Recorder, run: Callable[..., Any], *args: Any, **words: Any) -> Any:
    recorder.busy += 1
    try:
        with _from_afar(recorder):
            return run(*args, **words)
    finally:
        recorder.busy -= 1


def _scripted(recorder: Recorder, run: Callable[..., Any], *args: Any, **words: Any) -> Any:
    """`torch.jit.script` looks for the names of a class in the frame that called it: ours stand in between."""
    ours, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("truestep.check."):
        ours, frame = ours + 1, frame.f_back
    words["_frames_up"] = words.get("_frames_up", 0) + ours + 1  # and `_unseen`
    return _unseen(recorder, run, *args, **words)


def _compiling(recorder: Recorder, run: Callable[..., Any], model: Any = None, *args: Any, **words: Any) -> Any:
    made = run(model, *args, **words)
    if model is None:  # @torch.compile(...), which is given the function later
        return lambda function: _called_from_afar(recorder, made(function))
    return _called_from_afar(recorder, made)


def _called_from_afar(recorder: Recorder, program: Any) -> Any:
    """A compiled function that finds no mode of ours on torch's stack, or it would be compiled once more for that."""
    if isinstance(program, nn.Module | type):
        return program

    @functools.wraps(program)
    def call(*args: Any, **words: Any) -> Any:
        if not recorder.close:
            return program(*args, **words)
        with _from_afar(recorder):
            return program(*args, **words)

    return call


@contextmanager
def _from_afar(recorder: Recorder) -> Iterator[None]:
    """Inside, nothing is looked at closely."""
    close, updates = recorder.close, recorder.trace.updates_made
    recorder.look(False)
    try:
        yield
    finally:
        recorder.look(close if updates == recorder.trace.updates_made else recorder.near)
