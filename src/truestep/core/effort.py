"""What the arithmetic of a program takes at least, from its shapes alone: the same on every run."""

from __future__ import annotations

from math import prod
from typing import Any

from torch import fx

from truestep.core.program import Program
from truestep.core.recording import aten

FLOPS, BYTES = 50e9, 10e9
"""Operations on numbers that one thread does a second in products, and bytes that it writes."""
PRODUCTS = (aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default)
CONVOLUTIONS = (aten.convolution.default, aten.convolution_backward.default)


def effort(program: Program) -> float:
    """Seconds."""
    return sum(_seconds(node) for node in program.graph.nodes if node.op == "call_function")


def _seconds(node: fx.Node) -> float:
    size = prod(node.meta.get("shape", ()))
    written = size * getattr(node.meta.get("dtype"), "itemsize", 0) / BYTES
    if node.target in PRODUCTS:
        return written + 2 * size * _shape(node.args[-2])[-1] / FLOPS
    if node.target in CONVOLUTIONS:
        backward = node.target is CONVOLUTIONS[1]
        outer, kernel = (_shape(node.args[0]), _shape(node.args[2])) if backward else (None, _shape(node.args[1]))
        return written + (2 if backward else 1) * 2 * prod(outer or node.meta["shape"]) * prod(kernel[1:]) / FLOPS
    return written


def _shape(node: Any) -> tuple[int, ...]:
    return node.meta["shape"]
