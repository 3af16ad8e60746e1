"""What is to be compiled, as plain data: another process can read it, and equal programs have equal plans.

A plan holds no value of a tensor: the tensors that a program is given, and those that it holds, are inputs of what is
compiled, and only their shapes, strides and dtypes matter.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

from truestep.core.errors import TraceError
from truestep.core.program import Program
from truestep.core.spelling import made, spell_flat

RULES = 1
"""Raised when the compiled form of a program changes: libraries that were built before it are not used any more."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A program that takes its inputs one after the other and returns a list.

    Args:
        text: the function in Python.
        operations: name in the text -> the operation of torch.
        constants: name in the text -> the kind of a constant, and how it is spelled.
        inputs: shape, strides, dtype and device of each input.
        writes: whether it changes inputs in place.
        threads: on how many threads it runs.
    """

    text: str
    operations: dict[str, str]
    constants: dict[str, tuple[str, str]]
    inputs: list[tuple[list[int], list[int], str, str]]
    writes: bool
    threads: int

    def spelled(self) -> str:
        """The plan as JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def key(self) -> str:
        """A name for what would be compiled: equal for equal plans on this torch and this kind of processor."""
        machine = platform.machine(), platform.node(), torch.backends.cpu.get_cpu_capability(), torch.__version__
        return sha256(repr((self.spelled(), machine, RULES)).encode()).hexdigest()[:32]


def parsed(text: str) -> Plan:
    """The plan that was spelled."""
    return Plan(**json.loads(text))


def draw(program: Program) -> Plan:
    """The plan of a program.

    Raises:
        TraceError: where it draws random numbers or is given plain ones, neither of which is compiled.
    """
    if program.draws:
        raise TraceError("it draws random numbers, which come out otherwise when they are compiled.")
    text, names = spell_flat(program.graph)
    operations = {name: f"{each}" for name, each in names.items() if isinstance(each, OpOverload)}
    constants = {name: _spelled(each) for name, each in names.items() if name not in operations}
    tensors = [*(like.empty() for like in program.given), *program.held]
    inputs = [(list(t.shape), list(t.stride()), str(t.dtype), str(t.device)) for t in tensors]
    return Plan(text, operations, constants, inputs, program.writes, torch.get_num_threads())


def read(plan: Plan) -> tuple[Callable[..., list[Tensor]], list[Tensor]]:
    """`(function, inputs)`: what a plan says, and tensors without values to trace it with."""
    names: dict[str, Any] = {name: _operation(words) for name, words in plan.operations.items()}
    names |= {name: _constant(*words) for name, words in plan.constants.items()}
    inputs = [
        torch.empty_strided(shape, stride, dtype=_constant("torch", dtype), device=device)
        for shape, stride, dtype, device in plan.inputs
    ]
    return made(plan.text, names), inputs


def _operation(words: str) -> OpOverload:
    found: Any = torch.ops
    for part in words.split("."):  # aten.add.Tensor
        found = getattr(found, part)
    return found


def _spelled(value: Any) -> tuple[str, str]:
    if isinstance(value, float):
        return "float", repr(value)
    if isinstance(value, torch.device):
        return "device", str(value)
    if isinstance(value, torch.dtype | torch.layout | torch.memory_format):
        return "torch", str(value)
    raise TraceError(f"it holds a {type(value).__name__}, which is not compiled.")


def _constant(kind: str, words: str) -> Any:
    if kind == "float":
        return float(words)
    return torch.device(words) if kind == "device" else getattr(torch, words.removeprefix("torch."))
