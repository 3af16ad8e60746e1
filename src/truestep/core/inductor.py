"""Programs through Inductor, torch's compiler: the one place that knows its private doors.

Compiling takes seconds, so whoever asks for it has measured first that it is repaid. Sums are added in another order
than torch's own kernels add them: results agree with the program's within rounding, step by step.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from truestep.core.errors import TraceError
from truestep.core.lowering import FUSING
from truestep.core.plans import Plan, draw, read
from truestep.core.program import Program
from truestep.core.recording import Rewrites
from truestep.core.spelling import made, named, spell_around

SETTINGS = {"cpp.threads": 1, "compile_threads": 1, "fallback_random": True, "size_asserts": False}
"""Sizes and strides are looked at by `Program.fits`, once, and not by the kernels in each call."""
AHEAD = {
    "aot_inductor.allow_stack_allocation": True,
    "aot_inductor.precompile_headers": False,
    "cpp_cache_precompile_headers": False,
}
"""Small results lie on the stack: ten steps of a linear regression take 2 microseconds, not 50 as tensors. Headers that
are compiled beforehand take twice as long as the one library for which they would be."""
TRUSTING = {"cpp.vec_isa_ok": True}
"""The instructions that the processor has are used without a trial of each, which takes eight seconds."""


def compiled(program: Program, rewrites: Rewrites = FUSING) -> Program:
    """The same program through Inductor; it holds the tensors that the program held.

    It looks at no shape and no stride of what it is given: these must be those that it was traced for.

    Raises:
        TraceError: with a sentence that says why this program, or this machine, has to do without.
    """
    plan = draw(program)
    with _refusing():
        from torch._inductor.compile_fx import compile_fx_inner

        module, inputs = _lowered(plan, rewrites)
        kernel = _in(SETTINGS, compile_fx_inner, module, inputs)
    return _around(program, kernel)


def build(plan: Plan, rewrites: Rewrites = FUSING) -> str:
    """Compile what a plan says to a library of its own, for `loaded`, and return the path of that file.

    Raises:
        TraceError: as `compiled`.
    """
    with _refusing():
        try:
            path = _in(TRUSTING, _library, plan, rewrites)
        except Exception:  # noqa: BLE001 - an old compiler that does not know the instructions of a new processor, say
            path = _library(plan, rewrites)
        if not isinstance(path, str):
            raise TraceError("torch's compiler wrote no library.")
    return path


def _library(plan: Plan, rewrites: Rewrites) -> Any:
    import torch._inductor as inductor

    module, inputs = _lowered(plan, rewrites)
    return _in(
        {}, inductor.aot_compile, module, tuple(inputs), options={**SETTINGS, **AHEAD, "cpp.threads": plan.threads}
    )


def loaded(path: str) -> Callable[[list[Tensor]], list[Tensor]]:
    """The library at `path`, from all inputs of its program, those that it holds last, to all results.

    It looks at no shape and no stride of them.

    Raises:
        TraceError: where that is no library of this torch and this machine.
    """
    try:
        runner = torch._C._aoti.AOTIModelContainerRunnerCpu(path, 1)  # pyright: ignore[reportAttributeAccessIssue]
    except (RuntimeError, AttributeError) as error:
        raise TraceError(f"the library {path} cannot be loaded.") from error
    return runner.run


def _around(program: Program, kernel: Callable[[list[Tensor]], Any]) -> Program:
    text, around = spell_around(program.graph, program.takes, program.returns)
    given = tuple(replace(like, strict=True) for like in program.given)
    return replace(program, given=given, run=made(text, {**around, **named(program.held), "kernel": kernel}))


@contextmanager
def _refusing() -> Iterator[None]:
    """Private doors fail in every way, and all mean: go on without."""
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


def _lowered(plan: Plan, rewrites: Rewrites) -> tuple[Any, list[Tensor]]:
    """The module that Inductor takes, and inputs of its kind."""
    from torch._inductor.decomposition import select_decomp_table
    from torch.fx.experimental.proxy_tensor import make_fx

    function, inputs = read(plan)
    if plan.writes:
        function = torch.func.functionalize(function, remove="mutations")
    table = {**select_decomp_table(), **rewrites}
    with torch.no_grad():
        module = make_fx(function, decomposition_table=table, tracing_mode="fake")(*inputs)
    module.graph.eliminate_dead_code()
    module.recompile()
    return module, [node.meta["val"] for node in module.graph.nodes if node.op == "placeholder"]


def _in(settings: dict[str, Any], compile: Callable[..., Any], *args: Any, **options: Any) -> Any:
    import torch._inductor.config as config

    with torch.no_grad(), config.patch(settings):
        return compile(*args, **options)
