"""Plain tensors that take part in a model as its parameters do, and are none."""

from __future__ import annotations

import math
from collections import defaultdict

from truestep.check.changes import Backward, Leaf, Step
from truestep.check.events import Forward, Op
from truestep.check.looks import Seen
from truestep.check.trace import LOSSES, Trace

OFTEN = 5
ALONE = {
    "sigmoid", "tanh", "exp", "softplus", "relu", "clamp", "clamp_min", "softmax", "log_softmax", "neg", "square",
    "sqrt", "rsqrt", "reciprocal", "log", "abs", "to", "float",
}  # fmt: skip
"""Calls that make one tensor of one, of the same shape."""
PICKS = {"__getitem__", "select", "unbind"}
"""Calls that give one element of a row, as of the weights of several terms."""
JOINS = {
    "add", "sub", "mul", "div", "pow", "__add__", "__radd__", "__mul__", "__rmul__", "__sub__", "__truediv__", "where",
    "lerp", "add_", "mul_", "div_", "sub_", "maximum", "minimum",
}  # fmt: skip
"""Calls that work element by element, and spread the smaller operand."""


def loose(trace: Trace, held: set[int]) -> dict[int, list[float]]:
    """Leaves that are no `nn.Parameter`, that no optimizer holds and that keep every bit: number -> gradients' norms.

    They receive a gradient of every pass that reaches what the optimizers move; they are no data: not given to a model,
    not differentiated for, their gradient is never read, and all samples share them: they hold one element, are spread
    over the rows of something that is no leaf, or join means over samples.
    """
    found: dict[int, list[Leaf]] = defaultdict(list)
    passes = [each for each in trace.backwards() if any(leaf.number in held for leaf in each.leaves)]
    for event in passes:
        for leaf in event.leaves:
            if not leaf.parameter and leaf.number not in held and leaf.weight is not None:
                found[leaf.number].append(leaf)
    still = {
        number: [leaf.after.norm for leaf in seen if leaf.after is not None and leaf.after.norm]
        for number, seen in found.items()
        if len({leaf.weight.mark for leaf in seen if leaf.weight is not None}) == 1 and 2 * len(seen) >= len(passes)
    }
    still = {number: norms for number, norms in still.items() if len(norms) >= OFTEN}
    return {number: norms for number, norms in still.items() if not _data(trace, number, found[number][0])}


def _data(trace: Trace, number: int, leaf: Leaf) -> bool:
    """Whether this may be something else than a part of the model."""
    if any(each.storage == leaf.storage for event in trace.of(Forward) for each in event.inputs):
        return True
    if any(leaf.number == number for event in trace.of(Backward) if event.how == "grad" for leaf in event.leaves):
        return True
    if any(op.inputs and op.inputs[0].number == number for op in trace.ops("grad", "grad=")):
        return True
    return math.prod(leaf.shape) > 1 and not _spread(trace, number)


def _spread(trace: Trace, number: int) -> bool:
    """Whether the rows of something larger, made by a call, share it."""
    known, until = {number}, _until(trace)
    for op in trace.of(Op):
        if op.n > until:
            break
        mine = [each for each in op.inputs if each.number in known]
        if mine and ((op.name in ALONE and op.out and op.out[0].shape == mine[0].shape) or op.name in PICKS):
            known |= {out.number for out in op.out if not out.shape or op.name in ALONE}
        elif mine and op.name in JOINS:
            others = [each for each in op.inputs if each not in mine]
            if any(_over(mine[0], each) or _reduced(trace, each, op.n) for each in others):
                return True
    return False


def _reduced(trace: Trace, other: Seen, before: int) -> bool:
    """Whether a tensor holds means or sums over samples, or single losses side by side."""
    made = trace.maker(other, before)
    if made is None or not other.needs_grad or not made.inputs:
        return False
    if made.name in LOSSES and not other.shape:
        return True
    if made.name == "stack":
        return all(each.shape == () for each in made.inputs)
    return made.name in ("mean", "sum") and made.inputs[0].shape[:1] != other.shape[:1]


def _until(trace: Trace) -> int:
    """The end of the first few updates: what a tensor takes part in shows there."""
    steps = trace.of(Step)
    return steps[min(OFTEN, len(steps)) - 1].n if steps else 0


def _over(small: Seen, other: Seen) -> bool:
    """Whether a tensor is spread along the first dimension of another one, which is no leaf of the graph."""
    if not other.shape or other.shape[0] < 2 or (other.leaf and other.needs_grad):
        return False
    missing = len(other.shape) - len(small.shape)
    return missing > 0 or (missing == 0 and small.shape[0] == 1)
