"""The targets lie where the model's output can never be.

What: a regression whose last operation is a sigmoid, tanh, ReLU or the like is compared with targets outside the range
of that operation. Or the logits that a cross entropy is given have just been cut off at zero by a ReLU.

Why: no weights can reach these targets. The output sticks at the end of its range, where its gradient vanishes.

Evidence: the operation that made the prediction, with the scales and shifts behind it, and the least and the greatest
target, by more than a tenth of the targets' own span, in most calls; of a ReLU before a cross entropy that some of what
it was given was below zero in nearly all calls.

False alarms: targets that stray a little over the end of the range, from noise, are not counted. A prediction that is
multiplied by a tensor has no known range. Activations that are pooled over their places are the logits of some
networks. A Gaussian likelihood is not a comparison of this kind.

Mend: no activation behind the last layer, or targets scaled into its range.

Wrong:
    model = nn.Sequential(nn.Linear(8, 1), nn.Sigmoid())       # targets from -3 to 3

Right:
    model = nn.Sequential(nn.Linear(8, 1))
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.rules import found
from truestep.check.rules._chains import SHAPES, SOUND, compared, origin
from truestep.check.trace import Trace

RULE = Rule("TS342", "output_range", "an output that cannot reach the targets", "error", "losses")
RANGES = {
    "sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, math.inf), "relu6": (0.0, 6.0),
    "relu_": (0.0, math.inf), "softplus": (0.0, math.inf), "exp": (0.0, math.inf), "square": (0.0, math.inf),
    "abs": (0.0, math.inf), "hardsigmoid": (0.0, 1.0), "softsign": (-1.0, 1.0), "sigmoid_": (0.0, 1.0),
    "tanh_": (-1.0, 1.0), "log_softmax": (-math.inf, 0.0), "log_sigmoid": (-math.inf, 0.0),
}  # fmt: skip
LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
LOGITS = "binary_cross_entropy_with_logits"
BEYOND = 0.1
OFTEN, MOST = 4, 0.9


class Pair(NamedTuple):
    """A prediction compared with a target; `made` computed the prediction, whose range is low to high."""

    op: Op
    target: Seen
    made: Op
    low: float
    high: float


def look(trace: Trace) -> Iterator[Finding]:
    """Look at targets that are out of reach."""
    lines: dict[tuple[str, int], list[Pair]] = defaultdict(list)
    for pair in _pairs(trace):
        lines[pair.op.site.place].append(pair)
    for pairs in lines.values():
        out = [pair for pair in pairs if _beyond(pair)]
        if 2 * len(out) > len(pairs):
            low = min(pair.target.values.low for pair in out if pair.target.values)
            high = max(pair.target.values.high for pair in out if pair.target.values)
            made = out[0].made
            yield found(
                RULE,
                made.site if made.site.file else out[0].op.site,
                f"the output of {made.name} lies between {out[0].low:g} and {out[0].high:g}, and the targets do not",
                f"in {len(out)} of {len(pairs)} calls on line {out[0].op.site.line} the targets run from {low:.4g} to "
                f"{high:.4g}",
                "no weights can reach these targets, and at the end of the range the gradient vanishes",
                f"drop the {made.name} behind the last layer, or scale the targets into its range",
            )
    yield from _clipped(trace)


def _clipped(trace: Trace) -> Iterator[Finding]:
    """Logits that a ReLU cut off, in nearly every call, just before a cross entropy."""
    lines: dict[tuple[str, int], list[tuple[Op, Op | None]]] = defaultdict(list)
    for op in trace.ops("cross_entropy", "log_softmax"):
        scored = op.name == "cross_entropy" or any(
            user.name == "nll_loss" for out in op.out for user in trace.users(out, op.n)
        )
        if scored and op.grad and op.inputs and op.inputs[0].needs_grad:
            made = origin(trace, op.inputs[0], op.n, SOUND)
            values = made.inputs[0].values if made is not None and made.name in ("relu", "relu_") else None
            lines[op.site.place].append((op, made if values is not None and values.low < 0 else None))
    for calls in lines.values():
        cut = [(op, made) for op, made in calls if made is not None]
        if len(cut) >= max(OFTEN, MOST * len(calls)):
            op, made = cut[0]
            yield found(
                RULE,
                made.site if made.site.file else op.site,
                f"{made.name} cuts off the logits that {op.name} is given",
                f"in {len(cut)} of {len(calls)} calls on line {op.site.line} some were below zero, and became 0",
                "no class can be less likely than by a logit of 0, and where one is cut off nothing is learned from it",
                f"drop the {made.name} behind the last layer",
                level="warning",
            )


def _beyond(pair: Pair) -> bool:
    values = pair.target.values
    if values is None or not values.finite:
        return False
    most = max(pair.low - values.low, values.high - pair.high)
    width = pair.high - pair.low
    return most > BEYOND * (values.high - values.low) and most > (BEYOND * width if math.isfinite(width) else 1e-6)


def _pairs(trace: Trace) -> Iterator[Pair]:
    for op in trace.ops(*LOSSES, "sub", LOGITS):
        if len(op.inputs) < 2 or not op.grad or (op.name == "sub" and not compared(trace, op)):
            continue
        one, other = op.inputs[:2]
        if one.needs_grad == other.needs_grad:
            continue
        prediction, target = (one, other) if one.needs_grad else (other, one)
        if op.name == LOGITS:
            if op.words.get("reduction", "mean") != "none":
                made = trace.maker(prediction, op.n) or op
                relu = made.name in ("relu", "relu_")
                yield Pair(op, target, made if relu else op, 0.5 if relu else 0.0, 1.0)
            continue
        reach = _range(trace, prediction, op.n)
        if reach is not None:
            yield Pair(op, target, *reach)


def _range(trace: Trace, seen: Seen, before: int) -> tuple[Op, float, float] | None:
    """What computed a tensor, and its least and greatest value, with scales and shifts by plain numbers."""
    steps: list[Op] = []
    for _ in range(12):
        op = trace.maker(seen, before)
        if op is None or not op.inputs:
            return None
        if op.name in RANGES:
            low, high = RANGES[op.name]
            for each in reversed(steps):
                low, high = sorted(_moved(each, end) for end in (low, high))
            return op, low, high
        over = op.name == "div" and not isinstance(op.args[0], Seen)  # a number over it: no scale
        if op.name in ("mul", "add", "sub", "div", "neg") and len(op.inputs) == 1 and not over:
            steps.append(op)
        elif op.name not in SHAPES:
            return None
        seen, before = op.inputs[0], op.n
    return None


def _moved(op: Op, end: float) -> float:
    numbers = [float(each) for each in op.args if isinstance(each, int | float)]
    by = numbers[0] if numbers else 0.0
    if op.name == "sub":
        return end - by if isinstance(op.args[0], Seen) else by - end
    return {"add": end + by, "neg": -end, "div": end / by if by else math.nan, "mul": end * by}[op.name]
