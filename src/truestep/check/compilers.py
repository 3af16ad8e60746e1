"""What torch traces or compiles is let be: a compiler would take what we do for the program's own."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
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
    for name, functions in TRACERS.items():
        if name in sys.modules:  # torch loads some of them when they are first used
            for function in functions:
                yield replaced(sys.modules[name], function, partial(_unseen, recorder))


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
