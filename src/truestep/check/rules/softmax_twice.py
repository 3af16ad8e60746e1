"""A loss that applies its own softmax is given probabilities.

What: the input of `cross_entropy` is a probability distribution over the classes already; or `log_softmax`, or a
`Categorical(logits=...)`, is given what a softmax made.

Why: softmax of a softmax is nearly flat: with C classes no probability can come above e / (e + C - 1), the loss
cannot come near zero, and the gradients are small.

Evidence: in every call all entries lie in [0, 1] and add up to 1 over the classes; the operation that made them; or
the call of softmax whose result is normalised over the same dimension once more.

False alarms: logits that happen to add up to 1 in every row do not occur by chance. Log-probabilities are fine, since
softmax of a log-softmax is the softmax: they are not in [0, 1].

Mend: hand over the logits, and apply softmax only where probabilities are shown; or take the logarithm and
`nll_loss`.

Wrong:
    loss = F.cross_entropy(torch.softmax(logits, 1), y)

Right:
    loss = F.cross_entropy(logits, y)
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.mends.losses import Logits
from truestep.check.rules import found
from truestep.check.rules._chains import SOUND, origin
from truestep.check.trace import LossCall, Trace

RULE = Rule("TS301", "softmax_twice", "softmax before a loss that applies its own", "error", "losses")
MENDING = Logits()
NEAR, ROUGH = 1e-3, 8e-3
"""How far from one a distribution's sum may be, and how far where its numbers are rounded to bfloat16 one by one."""


def look(trace: Trace) -> Iterator[Finding]:
    """Look at the values that go into cross entropy."""
    yield from _again(trace)
    calls: dict[tuple[str, int], list[LossCall]] = defaultdict(list)
    for call in trace.losses():
        if call.name == "cross_entropy" and call.prediction.values is not None:
            calls[call.op.site.place].append(call)
    for here in calls.values():
        first = here[0]
        values = first.prediction.values
        if all(_simplex(trace, call) for call in here) and any(call.op.grad for call in here) and values:
            maker, classes = first.prediction.maker.removesuffix("Backward0"), first.prediction.shape[1]
            low, high = values.sums or (1.0, 1.0)
            best = math.log1p((classes - 1) / math.e)
            yield found(
                RULE,
                first.op.site,
                "cross_entropy applies softmax itself, and its input is a probability distribution already",
                f"in {len(here)} calls all entries lie in [0, 1] and add up to {low:.6g} to {high:.6g} "
                f"over {classes} classes; made by {maker or 'an unseen operation'}",
                f"so the loss cannot fall below {best:.3g} and its gradients are small",
                "hand over the logits: drop the softmax, and apply it only where probabilities are shown",
            )


def _again(trace: Trace) -> Iterator[Finding]:
    """Look for what a softmax made, and is normalised over the same dimension once more on the way to a loss."""
    lines: dict[tuple[str, int], list[tuple[Op, Op | None]]] = defaultdict(list)
    for op in trace.ops("log_softmax", "logsumexp"):
        if op.grad and op.inputs and op.inputs[0].needs_grad and len(op.inputs[0].shape) > 1:
            lines[op.site.place].append((op, origin(trace, op.inputs[0], op.n, SOUND)))
    for calls in lines.values():
        op, made = calls[0]
        count = len(op.inputs[0].shape)
        if made is not None and all(
            first is not None and first.name == "softmax" and _dim(op, count) == _dim(first, count) is not None
            for op, first in calls
        ):
            yield found(
                RULE,
                op.site,
                f"{op.name} is given the probabilities that softmax made, and normalises them once more",
                f"in all {len(calls)} calls its input is what softmax in line {made.site.line} made over the same "
                f"{op.inputs[0].shape[_dim(op, count) or 0]} entries",
                "so what is learned from is nearly flat: no probability can come near 1, and the gradients are small",
                "hand over the logits: drop the softmax, or say probs=... to a distribution",
            )


def _dim(op: Op, count: int) -> int | None:
    """The dimension of a call, counted from 0."""
    dim = op.arg(1, "dim")
    dim = dim[0] if isinstance(dim, tuple | list) and len(dim) == 1 else dim
    return dim % count if isinstance(dim, int) else None


def _simplex(trace: Trace, call: LossCall) -> bool:
    seen, values = call.prediction, call.prediction.values
    if values is None or values.sums is None or len(seen.shape) < 2 or seen.shape[1] < 2:
        return False
    made = next((op for op in trace.chain(seen, call.op.n, 4) if op.name == "softmax"), None)
    near = ROUGH if made is not None and made.out and made.out[0].dtype in ("bfloat16", "float16") else NEAR
    return values.low >= 0 and values.high <= 1 + near and all(abs(each - 1) < near for each in values.sums)
