"""Weight decay in Adam is coupled: it is added to the gradient and divided away with it.

What: Adam (NAdam, RAdam, Adamax) was built with a weight decay, and not told to decouple it.

Why: the decay passes through the division by the gradient's size, so weights with large gradients are hardly decayed
and those with small ones fully. It acts neither like L2 in SGD nor like AdamW (Loshchilov and Hutter, 2019).

Evidence: the settings; the steps taken with them.

False alarms: none; it is a matter of taste, and therefore advice.

Mend: `torch.optim.AdamW`, or `decoupled_weight_decay=True` (and choose the decay anew).

Wrong:
    torch.optim.Adam(model.parameters(), weight_decay=0.01)

Right:
    torch.optim.AdamW(model.parameters(), weight_decay=0.01)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from truestep.check.changes import Step
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.trace import Trace

RULE = Rule("TS901", "adam_coupled_decay", "Adam with coupled weight decay", "advice", "advice")
KINDS = {"Adam", "NAdam", "RAdam", "Adamax"}


def look(trace: Trace) -> Iterator[Finding]:
    """Read the settings of optimizers that step."""
    steps = Counter(step.optimizer for step in trace.of(Step))
    for optimizer, events in trace.optimizers().items():
        groups = [group for event in events for group in event.groups]
        decays = [
            group["weight_decay"]
            for group in groups
            if group.get("weight_decay") and not group.get("decoupled_weight_decay")
        ]
        made = events[0]
        if made.kind in KINDS and decays and steps[optimizer]:
            yield found(
                RULE,
                made.site,
                f"{made.kind} adds its weight decay to the gradient and divides it away again",
                f"weight_decay={max(decays):g} in {len(decays)} of {len(groups)} groups, for {steps[optimizer]} steps",
                "weights with large gradients are hardly decayed, those with small ones fully",
                f"use AdamW, or {made.kind}(..., decoupled_weight_decay=True), and choose the decay anew",
            )
