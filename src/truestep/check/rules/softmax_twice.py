"""A loss that applies its own softmax is given probabilities.

What: the input of `cross_entropy` is a probability distribution over the classes already.

Why: softmax of a softmax is nearly flat: with C classes no probability can come above e / (e + C - 1), the loss
cannot come near zero, and the gradients are small.

Evidence: in every call all entries lie in [0, 1] and add up to 1 over the classes; the operation that made them.

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

from truestep.check.finding import Finding, Rule
from truestep.check.mends.losses import Logits
from truestep.check.rules import found
from truestep.check.trace import LossCall, Trace

RULE = Rule("TS301", "softmax_twice", "softmax before a loss that applies its own", "error", "losses")
MENDING = Logits()
NEAR, ROUGH = 1e-3, 8e-3
"""How far from one a distribution's sum may be, and how far where its numbers are rounded to bfloat16 one by one."""


def look(trace: Trace) -> Iterator[Finding]:
    """Look at the values that go into cross entropy."""
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


def _simplex(trace: Trace, call: LossCall) -> bool:
    seen, values = call.prediction, call.prediction.values
    if values is None or values.sums is None or len(seen.shape) < 2 or seen.shape[1] < 2:
        return False
    made = next((op for op in trace.chain(seen, call.op.n, 4) if op.name == "softmax"), None)
    near = ROUGH if made is not None and made.out and made.out[0].dtype in ("bfloat16", "float16") else NEAR
    return values.low >= 0 and values.high <= 1 + near and all(abs(each - 1) < near for each in values.sums)
