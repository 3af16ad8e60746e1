"""Probabilities that are turned, or laid out row by row, for a loss that reads them along dimension 1."""

from __future__ import annotations

from truestep.check.events import Op
from truestep.check.trace import Trace


def turned(trace: Trace, op: Op, dim: int) -> tuple[str, int] | None:
    """How a result that adds up over `dim` is turned so that a loss reads another dimension, and which one."""
    shape = op.inputs[0].shape
    for turn in (each for out in op.out for each in trace.users(out, op.n) if each.out):
        along = _second(turn, shape)
        losses = [each for each in trace.users(turn.out[0], turn.n) if each.name == "nll_loss"]
        if along is not None and along != dim and losses:
            told = f"{turn.name} on line {turn.site.line} makes dimension {along} the one that nll_loss"
            return f"{told} on line {losses[0].site.line} reads", along
    return None


def _second(turn: Op, shape: tuple[int, ...]) -> int | None:
    """The dimension that becomes the second one by a call, with no other mixed into it; None where none does."""
    count, words = len(shape), list(turn.args[1:])
    if words and isinstance(words[0], tuple | list):
        words = list(words[0])
    whole = all(isinstance(each, int) for each in words)
    if turn.name == "permute" and whole and len(words) == count > 1:
        return words[1] % count
    if turn.name in ("transpose", "swapaxes", "swapdims") and whole and len(words) == 2 and count > 1:
        one, other = (each % count for each in words)
        return {one: other, other: one}.get(1, 1)
    flat = turn.name in ("view", "reshape", "flatten") and count > 2 and len(turn.out[0].shape) == 2
    return count - 1 if flat and turn.out[0].shape[1] == shape[-1] else None
