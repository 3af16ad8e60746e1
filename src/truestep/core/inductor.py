"""Programs through Inductor, torch's compiler: the one place that knows its private doors.

Compiling takes seconds, less where the cache on disk knows the program, so whoever asks for it has measured first that
it is repaid, see `repaid`. Sums are added in another order than torch's own kernels add them: results agree with the
program's within rounding, step by step.
"""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor

from truestep.core.errors import TraceError
from truestep.core.lowering import FUSING
from truestep.core.program import Program
from truestep.core.recording import Rewrites
from truestep.core.spelling import made, named, spell_around, spell_flat

SETTINGS = {"cpp.threads": 1, "compile_threads": 1, "fallback_random": True, "size_asserts": False}
"""Sizes and strides are looked at by `Program.fits`, once, and not by the kernels in each call."""
AHEAD = {"aot_inductor.allow_stack_allocation": True}
"""Small results lie on the stack: ten steps of a linear regression take 3 microseconds, not 50 as tensors."""


def compiled(program: Program, rewrites: Rewrites = FUSING) -> Program:
    """The same program through Inductor; it holds the tensors that the program held.

    It looks at no shape and no stride of what it is given: these must be those that it was traced for.

    Raises:
        TraceError: with a sentence that says why this program, or this machine, has to do without.
    """
    with _refusing(program):
        from torch._inductor.compile_fx import compile_fx_inner

        module, inputs = _lowered(program, rewrites)
        kernel = _in(SETTINGS, compile_fx_inner, module, inputs)
    return _around(program, kernel)


def ahead(program: Program, rewrites: Rewrites = FUSING) -> str:
    """Compile a program to a library of its own, for `loaded`, and return the path of that file.

    Raises:
        TraceError: as `compiled`.
    """
    with _refusing(program):
        import torch._inductor as inductor

        module, inputs = _lowered(program, rewrites)
        settings = {**SETTINGS, **AHEAD, "cpp.threads": torch.get_num_threads()}
        path = _in({}, lambda *given: inductor.aot_compile(*given, options=settings), module, tuple(inputs))
        if not isinstance(path, str):
            raise TraceError("torch's compiler wrote no library.")
    return path


def loaded(program: Program, path: str) -> Program:
    """The program as the library at `path` carries it out.

    Raises:
        TraceError: where that is no library of this torch and this machine.
    """
    try:
        runner = torch._C._aoti.AOTIModelContainerRunnerCpu(path, 1)  # pyright: ignore[reportAttributeAccessIssue]
    except (RuntimeError, AttributeError) as error:
        raise TraceError(f"the library {path} cannot be loaded.") from error
    return _around(program, runner.run)


def key(program: Program) -> str:
    """A name for what would be compiled: equal for equal programs on this torch and this kind of processor."""
    text, names = spell_flat(program.graph)
    constants = sorted((name, str(value)) for name, value in names.items() if name.startswith("constant"))
    likes = [str(like) for like in program.given]
    held = [(each.shape, each.stride(), each.dtype) for each in program.held]
    machine = platform.machine(), platform.node(), torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()
    return sha256(repr((text, constants, likes, held, machine, torch.__version__, AHEAD)).encode()).hexdigest()[:32]


def _around(program: Program, kernel: Callable[[list[Tensor]], Any]) -> Program:
    text, around = spell_around(program.graph, program.takes, program.returns)
    given = tuple(replace(like, strict=True) for like in program.given)
    return replace(program, given=given, run=made(text, {**around, **named(program.held), "kernel": kernel}))


@contextmanager
def _refusing(program: Program) -> Iterator[None]:
    """Private doors fail in every way, and all mean: go on without."""
    if program.draws:
        raise TraceError("it draws random numbers, which come out otherwise when they are compiled.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except TraceError:
        raise
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else ""
        if "InvalidCxxCompiler" in f"{type(error).__name__} {error}":
            raise TraceError("there is no C++ compiler here: install g++, or stay with compile=False.") from error
        raise TraceError(f"torch's compiler refused it ({type(error).__name__}: {first}).") from error


def _lowered(program: Program, rewrites: Rewrites) -> tuple[Any, list[Tensor]]:
    """The module that Inductor takes, and inputs of its kind."""
    from torch._inductor.decomposition import select_decomp_table
    from torch.fx.experimental.proxy_tensor import make_fx

    inputs = [*(like.empty() for like in program.given), *program.held]
    function = made(*spell_flat(program.graph))
    if program.writes:
        function = torch.func.functionalize(function, remove="mutations")
    table = {**select_decomp_table(), **rewrites}
    with torch.no_grad():
        module = make_fx(function, decomposition_table=table, tracing_mode="fake")(*inputs)
    module.graph.eliminate_dead_code()
    module.recompile()
    return module, [node.meta["val"] for node in module.graph.nodes if node.op == "placeholder"]


def _in(settings: dict[str, Any], compile: Callable[..., Any], *args: Any) -> Any:
    import torch._inductor.config as config

    with torch.no_grad(), config.patch(settings):
        return compile(*args)


def repaid(compile_s: float, saved_us: float, steps: int) -> bool:
    """Whether compiling for so many seconds is earned back by saving so many microseconds in each step to come."""
    return saved_us * steps * 1e-6 > compile_s
