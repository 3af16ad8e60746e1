"""Softmaxes that a program writes by hand, told as the calls of torch's that they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.rules._chains import SOUND, origin
from truestep.check.trace import Trace

SUMS = ("logsumexp", "log")
KEEPS = SOUND | {"add", "clamp", "clamp_min", "maximum"}
"""What may stand between a sum of exponentials and the division by it."""


def by_hand(trace: Trace) -> Iterator[Op]:
    """`e / e.sum(d)` with `e = z.exp()` as a softmax, and `z - z.logsumexp(d)` as its logarithm.

    Where single entries of z are picked first and the logarithm taken off them, what is picked is told as picked from
    the logarithm of the softmax.
    """
    for op in trace.ops("div", "sub"):
        for first, second in (op.inputs, op.inputs[::-1]) if len(op.inputs) == 2 else ():
            made = origin(trace, second, op.n, KEEPS | {"__getitem__"})
            if made is None or not made.inputs:
                continue
            if op.name == "div":
                if made.name == "sum" and made.inputs[0].number == first.number and _exponential(trace, first, op.n):
                    yield _as("softmax", op, made, first, op.out)
                break
            scores, total = _scores(trace, made)
            if scores is not None and scores.number == first.number:
                yield _as("log_softmax", op, total, scores, op.out)
            elif scores is not None and len(set(scores.shape)) == len(scores.shape) == 2:
                pick = trace.maker(first, op.n)
                if pick is not None and pick.inputs and pick.inputs[0].number == scores.number:
                    yield replace(_as("log_softmax", op, total, scores, (scores,)), n=pick.n - 1)


def _as(name: str, op: Op, total: Op, scores: Seen, out: tuple[Seen, ...]) -> Op:
    dim = total.arg(1, "dim")
    dim = dim[0] if isinstance(dim, tuple) and len(dim) == 1 else dim
    whole = not isinstance(dim, int) or isinstance(dim, bool)  # over all, as for a stable exponential
    return replace(op, name=name, args=(scores,), words={"dim": "" if whole else dim}, out=out)


def _exponential(trace: Trace, seen: Seen, before: int) -> bool:
    made = origin(trace, seen, before, SOUND | {"mul", "masked_fill"})
    return made is not None and made.name == "exp"


def _scores(trace: Trace, made: Op) -> tuple[Seen | None, Op]:
    """What a logarithm of a sum of exponentials was taken of, and the call that sums."""
    if made.name == "logsumexp":
        return made.inputs[0], made
    total = trace.maker(made.inputs[0], made.n) if made.name == "log" and made.inputs else None
    if total is None or total.name != "sum" or not total.inputs:
        return None, made
    exponential = trace.maker(total.inputs[0], total.n)
    return (exponential.inputs[0], total) if exponential is not None and exponential.name == "exp" else (None, made)
