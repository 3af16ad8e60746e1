"""Models without a module: functions that begin with a product of data and a weight of their own."""

from __future__ import annotations

from truestep.check.events import Forward, Op
from truestep.check.looks import Seen
from truestep.check.mode import PRODUCTS
from truestep.check.site import Site
from truestep.check.trace import LOSSES, Trace

LONG = 80
ENDS = LOSSES | {"argmax", "max", "topk", "sort", "eq", "gt", "lt", "ge", "le", "item"}


def bare(trace: Trace) -> list[Forward]:
    """Their calls, from the product to what is compared or read; `module` is the weight, below zero."""
    found: list[Forward] = []
    weights: dict[tuple[str, int], int] = {}  # updates that bind new tensors have a new weight at the same line
    for op in trace.ops(*PRODUCTS):
        if op.within or len(op.inputs) < 2 or not op.inputs[0].rows or op.inputs[0].needs_grad or not op.out:
            continue
        given, weight = op.inputs[:2]
        if weight.leaf and weight.needs_grad:
            module = weights.setdefault(op.site.place, -weight.number)
            guess = _guess(trace, op)
            found.append(
                Forward(
                    n=op.n, site=_caller(op.site), update=op.update, close=op.close, module=module,
                    kind=op.site.function, depth=0, training=True, grad=op.grad, autocast=False, inputs=(given,),
                    outputs=(guess,), began=op.n,
                )
            )  # fmt: skip
    return found


def weight(trace: Trace, call: Forward) -> int:
    """The weight that such a call began with."""
    return next(op.inputs[1].number for op in trace.between(call.n - 1, call.n + 1, Op))


def _guess(trace: Trace, op: Op) -> Seen:
    """What a product becomes by calls that take nothing but it, what was made of it, and weights."""
    seen, known, last = op.out[0], {op.inputs[0].number, op.out[0].number}, op.n
    for _ in range(LONG):
        user = next(iter(trace.users(seen, last)), None)
        if user is None or user.name in ENDS or not user.out or user.update != op.update:
            break
        strange = [each for each in user.inputs if each.number not in known and not (each.leaf and each.needs_grad)]
        if strange:
            break
        seen, last = user.out[0], user.n
        known.add(seen.number)
    return seen


def _caller(site: Site) -> Site:
    """The line that called the function."""
    inside = site.function not in ("", "<module>") and site.callers
    return Site(*site.callers[0], "", site.callers[1:]) if inside else site
