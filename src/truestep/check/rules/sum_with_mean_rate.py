"""A loss that is summed over the samples, with a rate that suits their mean.

What: the loss adds up all samples, nothing divides it, and the rate is so large for it that updates throw the weights
about; for the mean it would be an ordinary one. Or a divergence that is summed over the batch stands beside a
reconstruction that is averaged over everything, so that it alone is made small, and no sample keeps a code.

Why: the gradient of a sum over N samples is N times that of the mean: the rate is in truth N times what was written.

Evidence: the sum at the root of the backward pass with its number of terms, and the change of the weights over their
norm with the loss behind it; or what is left of the divergence of a sample late in the run, which is next to nothing.

False alarms: a sum with a rate divided by N makes ordinary updates. An update by hand that divides the gradient by
about as many as the sum has terms is no finding, nor is a run by hand whose loss is small in the end. Adam and its kin
do not depend on the scale of the loss, so they are no finding.

Mend: `reduction="mean"`, or divide the loss or the rate by the number of samples.

Wrong:
    loss = F.cross_entropy(logits, y, reduction="sum")      # SGD, lr=0.1

Right:
    loss = F.cross_entropy(logits, y)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from math import prod

from truestep.check.changes import Backward
from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.mends.losses import Averaged
from truestep.check.rules import found
from truestep.check.rules._chains import origin
from truestep.check.rules._pace import Pace, blown, paces, thrown
from truestep.check.rules._uneven import uneven
from truestep.check.trace import LOSSES, Trace

RULE = Rule("TS343", "sum_with_mean_rate", "a sum with a rate meant for a mean", "error", "losses")
MENDING = Averaged()
SCALED = ("SGD", "ASGD", "Rprop", "by hand")
MANY = 8
DIVIDES = ("div", "div_", "true_divide", "__truediv__", "__itruediv__")


def look(trace: Trace) -> Iterator[Finding]:
    """Look at losses that are sums, where updates throw the weights about, and at those that are a sum and a mean."""
    for site, message, evidence in uneven(trace):
        yield found(
            RULE, site, message, evidence, "the code of every sample is pressed into one and the same distribution",
            "sum both, or average both, over the batch, and weigh the divergence on purpose", level="warning",
        )  # fmt: skip
    for pace in paces(trace):
        summed = [_sum(trace, event) for event in pace.passes]
        first = summed[0] if summed else None
        if first is None or pace.kind not in SCALED or None in summed:
            continue
        op, terms = first
        if pace.made is None and _shared(trace, pace.passes[0], terms):
            continue
        evidence = thrown(pace, 1.3, 0.2, 2) or thrown(pace, 50, 0.1, 1) or _worse(pace) or blown(pace)
        if evidence and not pace.strides[0].ratio / terms >= 0.2:
            yield found(
                RULE,
                op.site,
                f"the loss is a sum over {terms} terms, and the rate is one for their mean",
                f"{op.name} adds up {terms} terms and nothing divides them; {evidence}",
                f"its gradient is {terms} times that of the mean, as if the rate were {terms} times as large",
                "use the mean, or divide the rate by the number of samples",
            )


def _shared(trace: Trace, event: Backward, terms: int) -> bool:
    """Whether what is made of the gradients of a pass is divided by about as much as the sum has terms."""
    leaves = {leaf.number for leaf in event.leaves}
    later = next((each.n for each in trace.of(Backward) if each.n > event.n), math.inf)
    read = [op for op in trace.ops("grad") if event.n < op.n < later and leaves & {each.number for each in op.inputs}]
    waiting = [(each, op.n) for op in read for each in op.out]
    while waiting:
        seen, since = waiting.pop()
        for op in trace.users(seen, since):
            count = op.arg(1, "other")
            if op.n < later and op.name in DIVIDES and isinstance(count, int | float) and count >= terms / 2:
                return True
            waiting += [(each, op.n) for each in op.out if op.n < later and each.number not in leaves]
    return False


def _worse(pace: Pace) -> str:
    """One update that carried the weights far off, after which the loss was never again near what it was at first."""
    norms, losses = [one.norm for one in pace.strides], pace.losses
    if len(norms) < 20 or not 0 < 1.5 * losses[0] < min(losses[1:]) or not norms[1] > 4 * norms[0]:
        return ""
    return (
        f"the first update took the norm of the weights from {norms[0]:.4g} to {norms[1]:.4g}, and the loss, "
        f"{losses[0]:.4g} before it, was {min(losses[1:]):.4g} or more in the {len(losses) - 1} updates after it"
    )


def _sum(trace: Trace, event: Backward) -> tuple[Op, int] | None:
    """The sum at the root of a pass, with its number of samples; of several that are added up the largest."""
    if len(event.roots) != 1:
        return None
    parts = [None if op is None else _whole(op) for op in _terms(trace, event.roots[0], event.n)]
    known = [each for each in parts if each is not None]
    return max(known, key=lambda each: each[1]) if known and len(known) == len(parts) else None


def _terms(trace: Trace, seen: Seen, before: int, depth: int = 4) -> list[Op | None]:
    """The calls whose results a loss is the sum of, behind plain factors."""
    op = origin(trace, seen, before)
    if op is None or not depth or op.name not in ("add", "sub", "mul", "neg"):
        return [op]
    inputs = [each for each in op.inputs if each.needs_grad]
    if (op.name == "mul" and len(op.inputs) > 1) or not inputs:
        return [op]
    return [term for each in inputs for term in _terms(trace, each, op.n, depth - 1)]


def _whole(op: Op) -> tuple[Op, int] | None:
    """A sum over all of a tensor, or of a loss, with its number of samples."""
    if not op.inputs or not op.inputs[0].shape:
        return None
    whole = op.name == "sum" and op.out and not op.out[0].shape and len(op.args) < 2 and "dim" not in op.words
    if not whole and not (op.name in LOSSES and op.words.get("reduction") == "sum"):
        return None
    shape = op.inputs[0].shape
    terms = shape[0] if op.name in ("cross_entropy", "nll_loss") and len(shape) == 2 else prod(shape)
    return (op, terms) if terms >= MANY else None
