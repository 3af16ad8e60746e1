"""Weight decay pulls biases and the scales of normalisation towards zero.

What: an optimizer decays one-dimensional parameters: biases, and weights of batch, layer or group norm.

Why: biases carry means, and the scale of a normalisation starts at one on purpose; decay takes both towards zero and
regularises nothing. It is common to leave them out.

Evidence: which parameters have a decay, and by which factor the steps so far would have shrunk them alone.

False alarms: none; it is a matter of taste, and therefore advice.

Mend: two groups: matrices with decay, one-dimensional parameters with `weight_decay=0`.

Wrong:
    SGD(model.parameters(), lr=0.1, weight_decay=0.01)

Right:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    SGD([{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}], lr=0.1)
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import Step
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS902", "decay_on_bias", "weight decay on biases and normalisation", "advice", "advice")
NORMS = ("Norm", "norm")


def look(trace: Trace) -> Iterator[Finding]:
    """Read which parameters each group decays."""
    roles: dict[int, str] = {}
    for facts in trace.modules.values():
        for name, number in facts.parameters.items():
            if "." not in name:
                if any(word in facts.kind for word in NORMS) and facts.torch:
                    roles[number] = "normalisation"
                elif name == "bias" or name.startswith("bias_"):
                    roles[number] = "bias"
    for optimizer, events in trace.optimizers().items():
        steps = [step for step in trace.of(Step) if step.optimizer == optimizer]
        groups = [group for event in events for group in event.groups if group.get("weight_decay")]
        hits = [(number, group) for group in groups for number in group["params"] if number in roles]
        matrices = [number for group in groups for number in group["params"] if number not in roles]
        if not hits or not steps or not matrices:
            continue
        number, group = hits[0]
        decay, rate = float(group["weight_decay"]), float(group.get("lr") or 0.0)
        norms = sum(roles[number] == "normalisation" for number, _ in hits)
        yield found(
            RULE,
            events[0].site,
            f"weight decay also shrinks {plural(len(hits) - norms, 'bias', 'biases')} and "
            f"{plural(norms, 'parameter')} of normalisation",
            f"weight_decay={decay:g} with lr={rate:g} over {len(steps)} steps shrinks {trace.name(number)} to "
            f"{(1 - rate * decay) ** len(steps):.3g} of itself where nothing else holds it",
            "biases and scales carry means and start at one on purpose: pulling them to zero regularises nothing",
            "give one-dimensional parameters a group of their own with weight_decay=0",
        )
