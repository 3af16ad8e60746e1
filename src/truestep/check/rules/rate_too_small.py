"""The rate is far too small: the weights do not move.

What: all updates of the run together change the weights by less than three thousandths of their norm, at gradients
that are not small, and the loss stays where it was; or by less than a hundredth, in some hundreds of updates from a
random start at large gradients. Or an update by hand divides the gradient of a mean by its samples once more. Or the
rate is zero at every step; it is the square of the optimizer's own, since a function gives a rate where a factor is
asked for; or it falls to nothing long before the end. Or one group of parameters, at its random start, has less than a
hundred thousandth of the rate of another one.

Why: nothing is learned, however long the training.

Evidence: the change of the weights over their norm in every update that was looked at, the gradients, and the loss. By
hand the rate is measured: what the sums of the weights lost, over the sums of their gradients.

False alarms: a warm-up begins with a small rate, many schedules end with one, of several rates that one line tries some
are small on purpose, and a converged model has small gradients or a loss that has fallen. None of these is a finding.

Mend: a rate with which an update changes the weights by about a thousandth of their norm.

Wrong:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-8)

Right:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean

from truestep.check.changes import Backward, OptimizerMade, Saved, Step
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Digest
from truestep.check.mends.updates import Rate
from truestep.check.rules import found
from truestep.check.rules._chains import origin
from truestep.check.rules._divided_again import divided_again
from truestep.check.rules._facts import loaded, scale
from truestep.check.rules._hand import lines, rate, steepness
from truestep.check.rules._pace import Pace, paces
from truestep.check.rules._rates import nothing
from truestep.check.rules._slow_groups import slow_groups
from truestep.check.trace import Trace

RULE = Rule("TS746", "rate_too_small", "a rate far too small", "error", "schedules")
MENDING = Rate()
FEW = 20
WHOLE = 3e-3
EACH = 1e-5
STEEP = 1e-3
FRESH, STEEPER, MANY = 1e-2, 1e-2, 300
"""The same for weights that begin at random: gradients so large beside them, and so many updates, should carry them."""
MORE, LEAST, EXACT = 0.02, 8, 5e-3
"""What all updates may change of the weights at a rate that was divided once too often, and by how many terms."""


def look(trace: Trace) -> Iterator[Finding]:
    """Look at how far all updates together carry the weights."""
    yield from _by_hand(trace)
    for one in nothing(trace):
        yield found(
            RULE, one.site, one.message, one.evidence, "nothing is learned at such a rate, however long the training",
            "look at what the schedule gives: a factor of the optimizer's rate, counted from where it was meant",
            one.level, {"edit": True, "optimizer": one.optimizer},
        )  # fmt: skip
    for site, message, evidence in (told for pace in paces(trace) for told in slow_groups(trace, pace)):
        yield found(
            RULE, site, message, evidence, "what this group holds keeps its start",
            "raise its rate, or freeze it with requires_grad_(False)", "warning", {"edit": True},
        )  # fmt: skip
    for pace in paces(trace):
        if pace.made is None or len(pace.strides) < FEW:
            continue
        number = pace.made.optimizer
        count = sum(step.optimizer == number and not step.nested for step in trace.of(Step))
        most = max(stride.ratio for stride in pace.strides)
        slope = fmean(stride.steep for stride in pace.strides)
        losses = pace.losses
        third = len(losses) // 3
        fallen = fmean(losses[-third:]) < 0.95 * fmean(losses[:third])
        little = most * count < WHOLE or (most * count < FRESH and slope > STEEPER and _fresh(trace, pace, count))
        moves = not little or slope <= STEEP or fallen or _warming(pace) or _searched(trace, pace.made)
        if 0 < most < EACH and not moves:
            rate = pace.strides[0].update.step
            yield found(
                RULE,
                pace.made.site,
                f"the rate {rate.rates[0] if rate else 0:g} is far too small: the weights do not move",
                f"{count} updates change the weights by at most {100 * most * count:.2g} % of their norm, while the "
                f"gradients come to {100 * slope:.3g} % of it; the loss went from {fmean(losses[:third]):.4g} to "
                f"{fmean(losses[-third:]):.4g}",
                "nothing is learned at this rate, however long the training",
                "raise the rate until an update changes the weights by about a thousandth of their norm",
            )


def _fresh(trace: Trace, pace: Pace, count: int) -> bool:
    """Whether many updates begin with weights that nobody trained, loaded or wrote, as those near their aim are."""
    first = pace.strides[0].update.at
    held = set() if pace.made is None else trace.held(pace.made.optimizer)
    homes = {facts.storages[name] for facts in trace.modules.values()
             for name, number in facts.parameters.items() if number in held}  # fmt: skip
    given = any(each.how == "load" for each in trace.of(Saved)) or held & loaded(trace)
    writes = (op for op in trace.ops("copy_", "data=", "set_") if op.n < first.n and op.inputs)
    written = any(op.inputs[0].storage in homes for op in writes)
    return count >= MANY and not (given or written or pace.opposed or any(step.n < first.n for step in trace.of(Step)))


def _searched(trace: Trace, made: OptimizerMade) -> bool:
    """Whether the line that builds an optimizer tries several rates."""
    alike = (each for each in trace.of(OptimizerMade) if each.site.place == made.site.place and each.kind == made.kind)
    return len({str(group.get("lr")) for each in alike for group in each.groups[:1]}) > 1


def _by_hand(trace: Trace) -> Iterator[Finding]:
    """Weights that are moved by hand: hardly at all, or by a gradient that was divided twice."""
    told = [] if trace.of(Step) else list(_idle(trace))
    yield from told
    for site, message, evidence in () if told else divided_again(trace):
        yield found(
            RULE, site, message, evidence, "the weights move so much more slowly than the rate says",
            "divide the gradient of a sum, or take that of a mean as it is", "warning",
        )  # fmt: skip


def _idle(trace: Trace) -> Iterator[Finding]:
    """Weights of which neither the norms nor the sums change, or so little as their rate says."""
    for passes in lines(trace):
        losses = [event.roots[0].values.mean for event in passes if event.roots and event.roots[0].values is not None]
        third = len(losses) // 3
        if len(passes) < FEW or third < FEW // 3 or fmean(losses[-third:]) < 0.95 * fmean(losses[:third]):
            continue
        slope = fmean(steepness(event) for event in passes)
        evidence = _slow(trace, passes, slope) or _still(passes) if slope > STEEP else ""
        if evidence:
            yield found(
                RULE,
                passes[0].site,
                "the weights are moved by hand at a rate far too small: they stay where they are",
                f"over {len(passes)} passes {evidence}, while the gradients came to {100 * slope:.3g} % of it; the "
                f"loss went from {fmean(losses[:third]):.4g} to {fmean(losses[-third:]):.4g}",
                "nothing is learned at this rate, however long the training",
                "raise the rate until an update changes the weights by about a thousandth of their norm",
            )
            return


def _slow(trace: Trace, passes: list[Backward], slope: float) -> str:
    """A rate so small as that of an optimizer would have to be, or one that was divided by the samples of a mean."""
    own = rate(passes)
    count = sum(event.site.place == passes[0].site.place for event in trace.of(Backward))
    told = f"each update changed the weights by {own:.3g} times their gradient, {100 * own * slope:.2g} % of their norm"
    if 0 < own * slope < EACH and own * slope * count < WHOLE:
        return told
    root = passes[0].roots[0] if len(passes[0].roots) == 1 else None
    op = None if root is None else origin(trace, root, passes[0].n)
    how = None if root is None else scale(trace, root, passes[0].n)
    shape = op.inputs[0].shape if op is not None and op.inputs else ()
    if not shape or how is None or how.reduction != "mean" or how.factor != 1:
        return ""
    rows = [size for size in {shape[0], math.prod(shape)} if size >= LEAST and _round(own * size) and not _round(own)]
    if 0 < own * slope * count < MORE and rows:
        return f"{told}: it is {own * rows[0]:.3g} over the {rows[0]} terms of a loss that is their mean already"
    return ""


def _round(number: float) -> bool:
    """Whether it is one of the numbers that rates are written with."""
    first = number / 10 ** math.floor(math.log10(number)) if number > 0 else 0.0
    return any(abs(first - each) < EXACT * each for each in (*range(1, 11), 1.5, 2.5))


def _still(passes: list[Backward]) -> str:
    pairs = _pairs(passes[0], passes[-1])
    weights = math.hypot(*(one.norm for one, _ in pairs))
    gone = max((max(abs(b.norm - a.norm), abs(b.total - a.total)) for a, b in pairs), default=math.inf)
    if any(one.mark != other.mark for one, other in pairs) and gone < EACH * weights:
        return f"no norm and no sum of a weight changed by more than {100 * gone / weights:.2g} % of their norm"
    return ""


def _pairs(first: Backward, last: Backward) -> list[tuple[Digest, Digest]]:
    """The weights of two passes beside each other; where each update makes new tensors, by their place and shape."""
    known = {leaf.number: leaf for leaf in first.leaves}
    looks = [(known[leaf.number], leaf) for leaf in last.leaves if leaf.number in known]
    if not looks and [leaf.shape for leaf in first.leaves] == [leaf.shape for leaf in last.leaves]:
        looks = list(zip(first.leaves, last.leaves, strict=True))
    pairs = [(one.weight, other.weight) for one, other in looks]
    return [(one, other) for one, other in pairs if one is not None and other is not None and one.norm]


def _warming(pace: Pace) -> bool:
    rates = [stride.update.step.rates[0] for stride in pace.strides if stride.update.step is not None]
    return rates[-1] > 2 * rates[0]
