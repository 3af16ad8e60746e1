"""Programs through Inductor, torch's compiler: the one place that knows its private doors.

Compiling takes seconds, less where the cache on disk knows the program, so whoever asks for it has measured first that
it is repaid, see `repaid`. Sums are added in another order than torch's own kernels add them: results agree with the
program's within rounding, step by step.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
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


def compiled(program: Program, rewrites: Rewrites = FUSING) -> Program:
    """The same program through Inductor; it holds the tensors that the program held.

    Raises:
        TraceError: with a sentence that says why this program, or this machine, has to do without.
    """
    if program.draws:
        raise TraceError("it draws random numbers, which come out otherwise when they are compiled.")
    inputs = [like.empty() for like in program.given]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kernel = _through_inductor(
                made(*spell_flat(program.graph)), [*inputs, *program.held], rewrites, program.writes
            )
    except Exception as error:  # private doors fail in every way, and all mean: go on without
        first = str(error).splitlines()[0] if str(error) else ""
        if type(error).__name__ == "InvalidCxxCompiler":
            raise TraceError("there is no C++ compiler here: install g++, or stay with compile=False.") from error
        raise TraceError(f"torch's compiler refused it ({type(error).__name__}: {first}).") from error
    text, around = spell_around(program.graph, program.takes, program.returns)
    given = tuple(replace(like, strict=True) for like in program.given)
    return replace(program, given=given, run=made(text, {**around, **named(program.held), "kernel": kernel}))


def _through_inductor(
    function: Callable[..., Any], inputs: list[Tensor], rewrites: Rewrites, writes: bool
) -> Callable[[list[Tensor]], Any]:
    """A kernel `[inputs] -> [results]`."""
    import torch._inductor.config as config
    from torch._inductor.compile_fx import compile_fx_inner
    from torch._inductor.decomposition import select_decomp_table
    from torch.fx.experimental.proxy_tensor import make_fx

    if writes:
        function = torch.func.functionalize(function, remove="mutations")
    table = {**select_decomp_table(), **rewrites}
    with torch.no_grad(), config.patch(SETTINGS):
        module = make_fx(function, decomposition_table=table, tracing_mode="fake")(*inputs)
        module.graph.eliminate_dead_code()
        module.recompile()
        fakes = [node.meta["val"] for node in module.graph.nodes if node.op == "placeholder"]
        return compile_fx_inner(module, fakes)


def repaid(compile_s: float, saved_us: float, steps: int) -> bool:
    """Whether compiling for so many seconds is earned back by saving so many microseconds in each step to come."""
    return saved_us * steps * 1e-6 > compile_s
