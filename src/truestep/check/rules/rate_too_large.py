"""The rate is far too large: every update throws the weights about.

What: updates change the weights by a large part of their own norm, and the loss stands above where it began. Or the
rate has the wrong sign, as it were: an optimizer with maximize=True is given a loss.

Why: the loss is known near the weights only; a step so long leaves the region that the gradient speaks of, and the
training jumps from side to side or overflows.

Evidence: the change of the weights over their norm, update by update, with the loss behind it.

False alarms: weights that start at or near zero change by much of their norm at first, and the loss falls. A sweep
that raises the rate on purpose is left alone, and so are closures, which search along a line, and a start that was
a little rough (no loss above five times the first) where the last third is calm and its loss clearly better. The
losses of a critic and of a generator that is trained against it need not fall. What maximises beside another optimizer
may be an adversary, and what maximises in trained weights may be meant to forget: neither is a finding.
Where gradients are added up undivided, never cleared, or clipped after the step, that is the cause, and this is a word
of advice.

Mend: a smaller rate: by ten or more, so that an update changes the weights by about a thousandth.

Wrong:
    optimizer = torch.optim.Adam(model.parameters(), lr=1.0)

Right:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.finding import Finding, Rule
from truestep.check.mends.updates import Rate
from truestep.check.rules import found
from truestep.check.rules._pace import paces, thrown
from truestep.check.rules._uphill import uphill
from truestep.check.trace import Trace

RULE = Rule("TS745", "rate_too_large", "a rate far too large", "error", "schedules")
MENDING = Rate()


def look(trace: Trace) -> Iterator[Finding]:
    """Look at how far updates carry the weights, and at the loss behind them."""
    for pace in paces(trace):
        risen = next(uphill(trace, pace), None)
        if risen is not None:
            site, message, told = risen
            yield found(
                RULE, site, message, told, "each step makes the model worse at what the loss measures",
                "leave maximize out, or differentiate what is to become large", facts={"edit": True, "since": 0},
            )  # fmt: skip
            continue
        evidence = thrown(pace)
        if evidence:
            step = pace.strides[0].update.step
            rate = f"at a rate of {step.rates[0]:g} " if step is not None else ""
            yield found(
                RULE,
                pace.made.site if pace.made is not None else pace.passes[0].site,
                f"the rate is far too large: each update {rate}throws the weights about",
                evidence,
                "a step so long leaves the region that the gradient speaks of",
                "divide the rate by ten or more: an update should change the weights by about a thousandth",
            )
