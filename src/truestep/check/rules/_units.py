"""Units of a layer that hold the same numbers, on their way in and on their way out, as long as they are looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from truestep.check.changes import Leaf
from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.trace import Trace

ROWS = {"linear", "conv1d", "conv2d", "conv3d", "bilinear"}
PRODUCTS = {"matmul", "mm", "__matmul__", "__rmatmul__", "addmm", "einsum", "mv"}
TURNS = {"T", "t", "mT", "transpose", "permute", "swapaxes"}
LEAST, MOVES = 4, 3
"""Looks at which the units were alike, and the different bits of their weights at these."""


class Layer(NamedTuple):
    """A matrix that a call multiplies by: the dimension that it reads and the one of its units; and what it reads."""

    op: Op
    weight: Seen
    reads: int
    units: int
    given: int


def layers(trace: Trace, op: Op) -> Iterator[Layer]:
    """The matrices that a call multiplies something else by."""
    if op.name in ROWS:
        if len(op.inputs) > 1 and op.inputs[1].leaf and len(op.inputs[1].shape) > 1:
            yield Layer(op, op.inputs[1], 1, 0, op.inputs[0].number)
        return
    operands = op.inputs[-2:]
    for place, each in enumerate(operands if len(operands) == 2 else ()):
        weight, turned = _leaf(trace, each, op.n)
        if weight is None or len(each.shape) != 2:
            continue
        reads = _read(str(op.args[0]), place) if op.name == "einsum" else 1 - place
        if reads is not None:
            reads = 1 - reads if turned else reads
            yield Layer(op, weight, reads, 1 - reads, operands[1 - place].number)


def _leaf(trace: Trace, seen: Seen, before: int) -> tuple[Seen | None, bool]:
    """The matrix itself, and whether it is turned."""
    if seen.leaf:
        return (seen, False) if seen.needs_grad else (None, False)
    made = trace.maker(seen, before)
    if made is not None and made.name in TURNS and made.inputs and made.inputs[0].leaf and made.inputs[0].needs_grad:
        return made.inputs[0], True
    return None, False


def _read(equation: str, place: int) -> int | None:
    """The dimension of a matrix that an equation of einsum adds up over; None where it is not one of two."""
    terms, _, out = equation.replace(" ", "").partition("->")
    parts = terms.split(",")
    if len(parts) != 2 or len(parts[place]) != 2:
        return None
    over = [dim for dim, letter in enumerate(parts[place]) if letter not in out]
    return over[0] if len(over) == 1 and parts[place][over[0]] in parts[1 - place] else None


def together(looks: list[Leaf], dim: int) -> int:
    """At how many looks from the first one on the slices along a dimension were alike; 0 where nothing shows it.

    They were moved and stayed so, or nothing ever moved them: at zeros all gradients are zero.
    """
    count = next((at for at, leaf in enumerate(looks) if dim not in leaf.alike), len(looks))
    marks = {leaf.weight.mark for leaf in looks[:count] if leaf.weight is not None}
    nothing = count == len(looks) and all(leaf.after is not None and not leaf.after.norm for leaf in looks)
    return count if count >= LEAST and (len(marks) >= MOVES or nothing) else 0


def paired(
    trace: Trace, seen: dict[int, list[Leaf]], through: Collection[str]
) -> Iterator[tuple[Layer, Layer, int, list[int]]]:
    """Two matrices, one behind the other, whose units are alike; the looks; and the biases on the way."""
    alike = {number for number, looks in seen.items() if len(looks) >= LEAST and looks[0].alike}
    done: set[int] = set()
    for op in trace.ops(*ROWS, *PRODUCTS) if len(alike) > 1 else ():
        for layer in layers(trace, op):
            number = layer.weight.number
            if number in done or number not in alike or layer.weight.shape[layer.units] < 2:
                continue
            done.add(number)
            looks = together(seen[number], layer.units)
            reader, biases = _reader(trace, layer, seen, through) if looks else (None, [])
            also = together(seen.get(reader.weight.number, []), reader.reads) if reader is not None else 0
            if reader is not None and also and reader.weight.number != number:
                yield layer, reader, min(looks, also), biases


def _reader(
    trace: Trace, layer: Layer, seen: dict[int, list[Leaf]], through: Collection[str]
) -> tuple[Layer | None, list[int]]:
    """The matrix that reads what a layer makes, and the vectors that join on the way."""
    op = layer.op
    biases = [each.number for each in op.inputs if each.leaf and len(each.shape) == 1 and each.number in seen]
    waiting = list(op.out)
    for _ in range(20):
        if not waiting:
            break
        tensor = waiting.pop(0)
        for user in trace.users(tensor, op.n):
            if user.update != op.update:
                break
            if user.name in ROWS or user.name in PRODUCTS:
                readers = [each for each in layers(trace, user) if each.given == tensor.number]
                if readers:
                    return readers[0], biases
            if user.name in through:
                leaves = [each for each in user.inputs if each.leaf and each.number in seen]
                biases += [each.number for each in leaves if max(each.shape, default=1) > 1]
                waiting += user.out
    return None, biases
