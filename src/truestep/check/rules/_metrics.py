"""Scores that are made of overlaps of predictions and labels: Dice, intersection over union, F1 and their kin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.rules._chains import SHAPES
from truestep.check.trace import Trace

ANDS = {"logical_and", "bitwise_and", "__and__", "__rand__", "mul", "minimum"}
COMPARISONS = {"gt", "ge", "lt", "le", "eq", "ne", "__eq__", "__ne__", "__gt__", "__ge__", "__lt__", "__le__", "round"}
SHARES = {"sigmoid", "softmax"}
NOTS = {"logical_not", "bitwise_not", "__invert__"}
NEAR = 1e-4


def equal(trace: Trace, op: Op) -> bool:
    """Whether a call counts where predictions equal labels, also class by class: `guess[label == 2] == 2`."""
    if op.name != "eq" or len(op.inputs) != 1:
        return op.name == "eq" and len(op.inputs) > 1
    made = trace.maker(op.inputs[0], op.n)
    if made is None or made.name != "__getitem__" or len(made.inputs) < 2:
        return made is not None and made.name == "sub" and op.args[1:] == (0,)
    mask = trace.maker(made.inputs[1], made.n)
    return mask is not None and mask.name == "eq" and mask.args[1:] == op.args[1:]


def overlap(trace: Trace, op: Op) -> bool | None:
    """Whether a product rises with hits (True) or with misses (False); None where it is no overlap of two yes-and-nos.

    One side must come of a comparison or be a probability; the other one may also be data that nothing computed.
    """
    if op.name not in ANDS or len(op.inputs) != 2 or op.inputs[0].number == op.inputs[1].number:
        return None
    sides = [_side(trace, each, op.n) for each in op.inputs]
    made = [side for side in sides if side is not None]
    if len(made) < 2 or not any(known for known, _ in made):
        return None
    return made[0][1] == made[1][1]


def _side(trace: Trace, seen: Seen, before: int) -> tuple[bool, bool] | None:
    """Whether one side was seen being made, and whether it says yes; None for what is no yes-or-no."""
    yes = True
    for _ in range(20):
        op = trace.maker(seen, before)
        if op is None:
            return None if seen.needs_grad else (False, yes)
        plain = next((each for each in op.args if isinstance(each, int | float)), None)
        if op.name in NOTS or (op.name in ("sub", "rsub") and plain == 1):
            yes = not yes
        elif op.name in COMPARISONS | SHARES:
            zero = op.name in ("eq", "__eq__") and plain == 0 and len(op.inputs) == 1
            return True, yes != zero
        elif op.name not in SHAPES or not op.inputs:
            return None
        seen, before = op.inputs[0], op.n
    return None


def formula(metrics: Sequence[float], hits: Sequence[float], others: Mapping[Any, Sequence[float]]) -> str:
    """The score of hits and two other counts that the metrics are at every step; empty for none."""
    shapes = {
        "2 tp / (2 tp + a + b)": lambda tp, a, b: (2 * tp, 2 * tp + a + b),
        "2 tp / (a + b)": lambda tp, a, b: (2 * tp, a + b),
        "tp / (tp + a + b)": lambda tp, a, b: (tp, tp + a + b),
        "tp / (a + b - tp)": lambda tp, a, b: (tp, a + b - tp),
        "tp / (tp + a)": lambda tp, a, b: (tp, tp + a),
    }
    for one, other in permutations(list(others)[:8], 2):
        for name, shape in shapes.items():
            parts = [shape(*each) for each in zip(hits, others[one], others[other], strict=True)]
            pairs = zip(metrics, parts, strict=True)
            if all(low > 0 and abs(metric * low - high) <= NEAR * low for metric, (high, low) in pairs):
                return name
    return ""
