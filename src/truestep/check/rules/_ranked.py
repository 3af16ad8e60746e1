"""Scores of a model that are put in order along one dimension, and learned along the other one."""

from __future__ import annotations

from collections.abc import Iterable

from truestep.check.events import Forward, Op
from truestep.check.rules._chains import SOUND
from truestep.check.trace import Trace

PICKS = {"argsort": 1, "sort": 1, "argmax": 1, "topk": 2}
"""What finds the best of the scores, with the place of its dimension."""
KEEPS = SOUND | {"div", "mul"}
SOFT = ("softmax", "log_softmax")


def giver(trace: Trace, op: Op, most: int = 12) -> int:
    """The model whose outputs a call was given, as they are, in another shape or scaled; 0 where there is none."""
    given, before, gave = op.inputs[0], op.n, trace.once(givers)
    for _ in range(most):
        if given.number in gave:
            return gave[given.number]
        made = trace.maker(given, before)
        if made is None or made.name not in KEEPS or not made.inputs:
            break
        given, before = made.inputs[0], made.n
    return 0


def givers(trace: Trace) -> dict[int, int]:
    """The model that the user's code called, by the numbers of its outputs."""
    calls = [call for call in trace.of(Forward) if call.depth == 0]
    return {out.number: call.module for call in calls for out in call.outputs}


def ranked(trace: Trace, calls: Iterable[tuple[Op, int]]) -> tuple[Op, Op] | None:
    """A softmax over dimension 0 of a model's scores, and a call that finds the best of them along dimension 1.

    Nothing in training knows them along dimension 1. Each model is asked for once, whatever it is called for.
    """
    asked = {0}
    for op, dim in calls:
        shape = op.inputs[0].shape
        learned = op.name in SOFT and op.grad and op.inputs[0].needs_grad
        model = giver(trace, op) if learned and not dim and len(shape) == 2 and 1 < shape[0] != shape[1] else 0
        pick = None if model in asked else _picked(trace, model)
        if pick is not None:
            return op, pick
        asked.add(model)
    return None


def _picked(trace: Trace, model: int) -> Op | None:
    picks = [(pick, _dim(pick, PICKS[pick.name])) for pick in trace.ops(*PICKS) if _table(pick)]
    picks = [(pick, along) for pick, along in picks if not pick.grad and giver(trace, pick) == model]
    both = any(_table(each) and _dim(each, 1) and giver(trace, each) == model for each in trace.ops(*SOFT))
    return picks[0][0] if picks and not both and all(along == 1 for _, along in picks) else None


def _table(op: Op) -> bool:
    return bool(op.inputs) and len(op.inputs[0].shape) == 2


def _dim(op: Op, place: int) -> int | None:
    dim = op.arg(place, "dim", None if op.name == "argmax" else -1)
    return dim % 2 if isinstance(dim, int) and not isinstance(dim, bool) else None
