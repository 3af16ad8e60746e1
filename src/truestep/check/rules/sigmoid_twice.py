"""Sigmoid before a loss, or another sigmoid, that applies its own.

What: the input of `binary_cross_entropy_with_logits`, of another loss that takes logits, or of a second sigmoid, is
the output of a sigmoid (or of a softmax) already.

Why: sigmoid of what lies in [0, 1] lies between 0.5 and 0.73: no sample can be called negative with confidence, the
loss has a high floor and its gradients are small.

Evidence: the operation that made the input, in every call, and that all entries lie in [0, 1].

False alarms: a gate that is scaled or shifted before the next sigmoid is something else, and no finding.

Mend: hand over the logits and drop the sigmoid of the model, or keep it and use `binary_cross_entropy`.

Wrong:
    loss = F.binary_cross_entropy_with_logits(torch.sigmoid(score), y)

Right:
    loss = F.binary_cross_entropy_with_logits(score, y)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.mends.losses import Unsquashed
from truestep.check.rules import found
from truestep.check.rules._chains import origin
from truestep.check.trace import Trace

RULE = Rule("TS341", "sigmoid_twice", "sigmoid before a loss that applies its own", "error", "losses")
MENDING = Unsquashed()
LOSSES = ("binary_cross_entropy_with_logits", "multilabel_soft_margin_loss", "soft_margin_loss")
TAKERS = {  # who applies a sigmoid or a softmax itself -> what must not have been applied before
    **dict.fromkeys(LOSSES, ("sigmoid", "softmax", "sigmoid_")),
    "cross_entropy": ("sigmoid", "sigmoid_"),
    "sigmoid": ("sigmoid", "sigmoid_"),
    "sigmoid_": ("sigmoid",),
}


def look(trace: Trace) -> Iterator[Finding]:
    """Look at what made the input of whatever applies a sigmoid."""
    lines: dict[tuple[str, int, str, int], list[tuple[Op, Op | None]]] = defaultdict(list)
    for op in trace.ops(*TAKERS):
        if op.inputs:
            lines[(*op.site.place, op.name, op.module)].append((op, origin(trace, op.inputs[0], op.n)))
    for (_, _, name, _), calls in lines.items():
        seen = [(op, made) for op, made in calls if made is not None]  # those whose forward was looked at too
        if not seen or not all(_twice(trace, name, op.inputs[0], made) for op, made in seen):
            continue
        op, maker = seen[0]
        values = op.inputs[0].values
        span = f", where all entries lie between {values.low:.4g} and {values.high:.4g}" if values else ""
        floor = "the result lies between 0.5 and 0.73 whatever the model says"
        if name == "cross_entropy":
            floor = "between logits in [0, 1] no class can be much more likely than another"
        yield found(
            RULE,
            op.site,
            f"{name} is given what {maker.name} has made, and applies its own",
            f"in {len(seen)} of {len(seen)} calls the input was made by {maker.name} on line {maker.site.line}{span}",
            floor,
            "hand over the logits: drop the sigmoid, and apply it only where probabilities are shown",
        )


def _twice(trace: Trace, name: str, given: Seen, made: Op) -> bool:
    inside = given.values is None or (given.values.low >= 0 and given.values.high <= 1)
    return inside and (made.name in TAKERS[name] or ("sigmoid" in TAKERS[name] and _by_hand(trace, made)))


def _by_hand(trace: Trace, made: Op) -> bool:
    """1 / (1 + exp(...)), which is a sigmoid."""
    over = made.name == "reciprocal" or (made.name == "div" and made.args[0] in (1, 1.0))
    below = trace.maker(made.inputs[0], made.n) if over and len(made.inputs) == 1 else None
    if below is None or below.name not in ("add", "__radd__") or len(below.inputs) != 1 or not {1} & _numbers(below):
        return False
    power = trace.maker(below.inputs[0], below.n)
    return power is not None and power.name == "exp"


def _numbers(op: Op) -> set[float]:
    return {each for each in op.args if isinstance(each, int | float) and not isinstance(each, bool)}
