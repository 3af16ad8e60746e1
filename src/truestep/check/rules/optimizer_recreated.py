"""The optimizer is made anew again and again, and forgets its moments each time.

What: an optimizer with a state (momentum, Adam's moments) is built over and over at one line for the same parameters,
which train on from where they were.

Why: momentum and second moments start from zero each time; Adam's first steps after that are as large as its rate
allows, whatever the gradient. A schedule that was tied to the old one is lost as well.

Evidence: how many were built, how many steps each lived, that the parameters are the same, and that their bits were
those that the last one had left.

False alarms: a new fold, task or trial starts from other weights, or loads them; a stage of fine-tuning changes the set
of trained parameters, and there are few of these. An optimizer without a state has nothing to lose.

Mend: build the optimizer once before the loop; change its rate with a scheduler or through `param_groups`.

Wrong:
    for epoch in range(10):
        optimizer = torch.optim.Adam(model.parameters())

Right:
    optimizer = torch.optim.Adam(model.parameters())
    for epoch in range(10):
        ...
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from truestep.check.changes import OptimizerMade, StateLoaded, Step
from truestep.check.finding import Finding, Rule
from truestep.check.mends.updates import StateKept
from truestep.check.rules import found
from truestep.check.trace import Trace

RULE = Rule("TS110", "optimizer_recreated", "the optimizer is made anew and loses its state", "error", "updates")
MENDING = StateKept()
STATELESS = {"LBFGS", "Adafactor"}
FEW, MANY = 3, 5


def look(trace: Trace) -> Iterator[Finding]:
    """Compare what each optimizer left with what the next one of the same line found."""
    lives: dict[object, list[OptimizerMade]] = defaultdict(list)
    for event in trace.of(OptimizerMade):
        if not event.added and _has_state(event):
            parameters = tuple(group["params"] for group in event.groups)
            lives[event.site.place, event.kind, parameters].append(event)
    for made in lives.values():
        steps = {event.optimizer: [] for event in made}
        for step in trace.of(Step):
            if step.optimizer in steps:
                steps[step.optimizer].append(step)
        stepped = [event for event in made if steps[event.optimizer]]
        pairs = list(pairwise(stepped))
        same = [_same(trace, steps[a.optimizer][-1], steps[b.optimizer][0], b) for a, b in pairs]
        if False in same or len(stepped) < FEW or not _often(trace, stepped, same):
            continue
        event, count = stepped[1], len(stepped)
        each = sum(len(steps[one.optimizer]) for one in stepped) / count
        yield found(
            RULE,
            event.site,
            f"{count} optimizers of kind {event.kind} were made here for the same parameters, one after the other",
            f"each lived {each:.3g} steps; {sum(one is True for one in same)} times the next one was seen to find "
            "every bit of the weights as the last one had left it, and its own state empty",
            "the moments that the steps build up are thrown away each time",
            "build it once before the loop; change the rate with a scheduler or in optimizer.param_groups",
        )


def _has_state(event: OptimizerMade) -> bool:
    if event.kind == "SGD":
        return any(group.get("momentum") for group in event.groups)
    return event.kind not in STATELESS


def _same(trace: Trace, last: Step, first: Step, made: OptimizerMade) -> bool | None:
    """Whether the weights and what is trained went on; None where that was not seen."""
    if any(event.of in ("optimizer", "module") for event in trace.between(last.n, first.began, StateLoaded)):
        return False
    if not last.moved or not first.moved:
        return None
    left = {one.number: (one.after, one.needs_grad) for one in last.moved}
    return all(left.get(one.number) == (one.before, one.needs_grad) for one in first.moved)


def _often(trace: Trace, made: list[OptimizerMade], same: list[bool | None]) -> bool:
    """Once per pass over the data, or too often for stages of a training."""
    passes = [one for one in trace.passes() if one.batches and one.batches[-1].update > one.start.update]
    starts = [one.start.n for one in passes]  # those that trained
    places = [event.n for event in made]
    between = [sum(a < n < b for n in starts) for a, b in pairwise(places)]
    if any(between):
        return max(between) <= 2 and len(made) >= FEW
    return len(made) >= MANY and True in same
