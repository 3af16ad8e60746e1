"""Probabilities of every position that are laid over its class in ones and zeros, as in a Dice loss."""

from __future__ import annotations

from truestep.check.events import Forward, Op
from truestep.check.looks import Seen
from truestep.check.rules._chains import SOUND, root
from truestep.check.rules._read_along import samples
from truestep.check.trace import Trace

LAYS = {"mul", "sub", "mse_loss", "l1_loss", "binary_cross_entropy", "kl_div"}
KEEPS = SOUND | {"div", "mul", "clamp"}


def overlaps(trace: Trace, op: Op, user: Op) -> bool:
    """Whether a softmax over the samples, of scores (N, C, ...), meets targets whose classes lie along dimension 1."""
    shape, made = op.inputs[0].shape, {out.number for out in op.out}
    others = [each for each in user.inputs if each.number not in made]
    if user.name not in LAYS or len(shape) < 3 or len(set(shape[:2])) < 2 or len(user.inputs) != 2 or len(others) != 1:
        return False
    target = others[0]
    return (
        target.shape == shape and not target.needs_grad and _one_of_each(trace, target, user)
        and (samples(trace, op, shape[0]) or _given(trace, op, shape[0]))
    )  # fmt: skip


def _one_of_each(trace: Trace, target: Seen, user: Op) -> bool:
    """Whether exactly one entry along dimension 1 is 1, and the others are 0: wherever these numbers were looked at."""
    if _moved(trace, target, user.n):
        return True
    looks = [each for op in (user, *trace.users(target)) for each in op.inputs if each.number == target.number]
    known = [each.values for each in looks if each.values is not None and each.version == target.version]
    return bool(known) and all((one.low, one.high, one.whole, one.sums) == (0, 1, True, (1, 1)) for one in known)


def _moved(trace: Trace, target: Seen, before: int) -> bool:
    """Whether `one_hot` made the target, and the classes were then moved from the end to dimension 1."""
    last = len(target.shape) - 1
    moves = 0
    for op in trace.chain(target, before, 8):
        if op.name == "one_hot":
            return moves == 1
        words = op.args[1] if len(op.args) == 2 and isinstance(op.args[1], tuple | list) else op.args[1:]
        places = [each % (last + 1) if isinstance(each, int) else each for each in words]
        if op.name in ("permute", "movedim", "moveaxis", "transpose"):
            if places not in ([0, last, *range(1, last)], [last, 1], [1, last]):
                return False
            moves += 1
        elif op.name not in ("float", "double", "to", "type", "type_as", "contiguous", "clone", "half"):
            return False
    return False


def _given(trace: Trace, op: Op, size: int) -> bool:
    """Whether the scores are those that a model gave for so many samples."""
    given = root(trace, op.inputs[0], op.n, KEEPS)
    calls = (call for call in reversed(trace.of(Forward)) if call.depth == 0 and call.n < op.n)
    call = next((each for each in calls if given.number in {out.number for out in each.outputs}), None)
    return call is not None and bool(call.inputs) and call.inputs[0].shape[:1] == given.shape[:1] == (size,)
