"""The ranks of a run train copies of a model that are not the same.

What: all ranks apply the same averaged gradients, but to weights that differ: they started from different numbers, or
one rank alone loaded or changed its own. Or: the ranks started equal, share out one data set, and some or all of their
gradients were never averaged.

Why: gradients are averaged for one common model. Copies that differ get gradients that belong to none of them, never
come together, and what is saved is the copy of one rank.

Evidence: digests of weights and gradients, compared between ranks at the same steps through the store at which they
met (nobody waits, no collective is added).

False alarms: models that are split over ranks, or a search with a model for each rank, have gradients of their own.
Ranks that average their weights every few steps are equal again then. Neither is a finding.

Mend: build the model from the same seed on all ranks, or broadcast its weights before the first step; load a checkpoint
on every rank, before the model is wrapped.

Wrong:
    torch.manual_seed(rank)
    model = Net()

Right:
    torch.manual_seed(0)
    model = Net()
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.changes import RankLook
from truestep.check.events import LoaderMade, ModuleMade
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.trace import Trace

RULE = Rule("TS221", "ranks_drift", "the ranks train copies that differ", "error", "ranks")
OFTEN = 3


def look(trace: Trace) -> Iterator[Finding]:
    """Compare parameter by parameter over the steps."""
    looks: dict[int, list[RankLook]] = defaultdict(list)
    for event in trace.of(RankLook):
        looks[event.optimizer].append(event)
    for seen in looks.values():
        drifted, alone = set[int](), set[int]()
        for at, number in enumerate(seen[0].numbers):
            rows = [(one.before[at], one.grads[at], one.after[at]) for one in seen if len(one.numbers) > at]
            enough, apart = max(OFTEN, 0.8 * len(rows)), [grad for _, grad, after in rows if after is False]
            if apart.count(True) >= enough:
                drifted.add(number)
            elif rows[0][0] is True and not any(row[0] for row in rows[1:]) and apart.count(False) >= enough:
                alone.add(number)
        if drifted:
            yield _told(trace, seen, drifted, True)
        elif alone and _one_model(trace, seen, alone):
            yield _told(trace, seen, alone, False)


def _one_model(trace: Trace, seen: list[RankLook], alone: set[int]) -> bool:
    """Whether one model is meant: the ranks share out the data, or average the gradients of other parameters."""
    if any(made.kind == "DistributedDataParallel" for made in trace.of(ModuleMade)):
        return False  # whoever goes around the wrapper is told so by wrapper_bypassed
    shared = any(made.sampler == "DistributedSampler" for made in trace.of(LoaderMade))
    common = any(grad is True for one in seen for grad in one.grads)
    return (shared or common) and len(alone) > 0


def _told(trace: Trace, seen: list[RankLook], numbers: set[int], averaged: bool) -> Finding:
    one = seen[-1]
    number = min(numbers)
    first = seen[0].before[seen[0].numbers.index(number)]
    norms = f", norm {one.norms[0]:.6g} here and {one.norms[1]:.6g} there" if one.norms else ""
    return found(
        RULE,
        one.site,
        f"ranks train copies that differ: {trace.name(number)} is not the same on rank {one.other}",
        f"at {len(seen)} steps seen, {len(numbers)} of {len(one.numbers)} parameters got "
        f"{'equal' if averaged else 'unequal'} gradients on both ranks and had "
        f"{'equal' if first else 'unequal'} bits before the first step, unequal ones after the last{norms}",
        "averaged gradients are those of one common model, and there is none"
        if averaged
        else "each rank follows its own gradients, and the copies drift apart",
        "start from the same weights on all ranks (one seed, or broadcast them), and load checkpoints on every rank"
        if averaged
        else "wrap the model in DistributedDataParallel, or average every gradient before the step",
    )
