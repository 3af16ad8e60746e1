"""Keeps our own frames out of what a program shows: the lines of its warnings, and its tracebacks.

A warning is shown at the frame that called, so a function that is called through ours would warn at our line, once for
all of the program's. Python itself leaves out the frames of its import machinery, which it knows by their file's name:
our frames bear such a name (`hide`), and warnings of python functions are counted past them. A warning from C names the
innermost frame of python, whoever that is: there the call is handed on by a frame that bears the file, the line and
the global names of the one that called us (`relay`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any

from torch import overrides
from torch._C._dynamo import eval_frame

HIDDEN = " as importlib._bootstrap"
"""What the name of a file ends in whose frames python's warnings pass over."""
RELAY = "<handed on by truestep>"
_SKIPPED = eval_frame._FrameExecStrategy(eval_frame._FrameAction.SKIP, eval_frame._FrameAction.DEFAULT)
"""What torch's compiler does with such a frame, as with those of torch's own modules: nothing."""
_OURS = f"{Path(__file__).parent}"
_HANDLE = overrides.handle_torch_function.__code__
_TEMPLATE = (lambda run, *args, **words: run(*args, **words)).__code__
_relays: dict[tuple[int, int], tuple[CodeType, CodeType]] = {}


def hide(*modules: ModuleType) -> None:
    """Give the functions and methods of these modules a file name over which warnings pass."""
    for module in modules:
        for one in list(vars(module).values()):
            for each in (one, *vars(one).values()) if isinstance(one, type) else (one,):
                inner = inspect.unwrap(each) if isinstance(each, FunctionType) else None
                if isinstance(inner, FunctionType) and inner.__code__.co_filename == module.__file__:
                    inner.__code__ = _hidden(inner.__code__)


def _hidden(code: CodeType) -> CodeType:
    inner = tuple(_hidden(each) if isinstance(each, CodeType) else each for each in code.co_consts)
    made = code.replace(co_filename=code.co_filename + HIDDEN, co_consts=inner)
    eval_frame.set_code_exec_strategy(made, _SKIPPED)
    return made


def relay(caller: FrameType) -> Callable[..., Any]:
    """`relay(caller)(run, ...)` is `run(...)` as if this frame had called it."""
    code, at = caller.f_code, caller.f_lasti
    known = _relays.get((id(code), at))
    if known is None:
        made = _TEMPLATE.replace(
            co_filename=code.co_filename, co_firstlineno=caller.f_lineno, co_name=RELAY, co_qualname=RELAY
        )
        known = _relays[id(code), at] = made, code  # while it lives, no other code has its address
    return FunctionType(known[0], caller.f_globals)


def caller_of(function: Any, frame: FrameType) -> FrameType:
    """Who called a function that a mode of torch functions was handed by this frame.

    A function in python asks for modes itself, and is called a second time.
    """
    back = frame.f_back
    if frame.f_code is not _HANDLE or back is None:
        return frame
    twice = back.f_code is getattr(function, "__code__", None)
    return (back.f_back if twice else back) or back


def prune(error: BaseException) -> None:
    """Take our frames out of an exception's traceback, and out of those of its causes."""
    waiting: list[BaseException | None] = [error]
    done = set[int]()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in done:
            done.add(id(one))
            one.__traceback__ = _pruned(one.__traceback__)
            waiting += one.__cause__, one.__context__


def _pruned(trace: TracebackType | None) -> TracebackType | None:
    kept, ours, handed = list[TracebackType](), False, False
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith(_OURS) or code.co_name == RELAY:
            ours = True
            if kept and kept[-1].tb_frame.f_code is _HANDLE:
                kept.pop()
                handed = True
        else:
            if ours and handed and kept and kept[-1].tb_frame.f_code is code:
                kept.pop()  # the call that asked for modes
            ours = handed = False
            kept.append(trace)
        trace = trace.tb_next
    for one, following in zip(kept, [*kept[1:], None], strict=True):
        one.tb_next = following
    return kept[0] if kept else None
