"""The closure of an optimizer does not clear the gradients, so its evaluations add up.

What: an optimizer calls the closure several times within one step (LBFGS does), at different weights, and the gradients
of each evaluation are added to those of the ones before.

Why: the optimizer takes what it gets for the gradient at the present weights: with sums of old ones its directions and
its line search are wrong, and it often diverges.

Evidence: within one step `.grad` held, at the start of a pass, just what the last pass had left, while the weights had
moved in between.

False alarms: micro-batches that a closure accumulates lie at the same weights. Clearing at the start of the closure,
by the optimizer, the model or by hand, empties `.grad`.

Mend: `optimizer.zero_grad()` as the first line of the closure.

Wrong:
    def closure():
        loss = loss_fn(model(x), y)
        loss.backward()
        return loss

Right:
    def closure():
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        return loss
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from truestep.check.changes import Backward, Leaf, Step
from truestep.check.finding import Finding, Rule
from truestep.check.mends.clearing import ClosureCleared
from truestep.check.rules import found
from truestep.check.trace import Trace

RULE = Rule("TS115", "closure_not_clearing", "a closure does not clear the gradients", "error", "updates")
MENDING = ClosureCleared()
OFTEN = 3  # passes


def look(trace: Trace) -> Iterator[Finding]:
    """Compare neighbouring passes within one step."""
    for optimizer, made in trace.optimizers().items():
        stale: list[tuple[Backward, Leaf]] = []
        passes = 0
        for step in trace.of(Step):
            if step.optimizer != optimizer or not step.closure:
                continue
            last: dict[int, Leaf] = {}
            for event in trace.between(step.began, step.n, Backward):
                if event.how != "backward" or not event.close or not all(map(_finite, event.leaves)):
                    continue  # sums of gradients that have overflowed tell nothing more
                passes += 1
                stale += [(event, leaf) for leaf in event.leaves[:1] if _stale(last.get(leaf.number), leaf)]
                last = {leaf.number: leaf for leaf in event.leaves}
        if len(stale) >= OFTEN and 3 * len(stale) > passes:
            event, leaf = stale[0]
            before, after = leaf.before, leaf.after
            yield found(
                RULE,
                event.site,
                f"the closure of this {made[0].kind} adds to the gradients of its last evaluation",
                f"{len(stale)} of {passes} passes within steps began with what the last one had left, at other "
                f"weights: a norm of {before.norm if before else 0:.3g} became {after.norm if after else 0:.3g}",
                "the optimizer takes this sum for the gradient at the present weights",
                "call optimizer.zero_grad() as the first line of the closure",
            )


def _finite(leaf: Leaf) -> bool:
    return all(look is None or math.isfinite(look.norm) for look in (leaf.weight, leaf.before))


def _stale(last: Leaf | None, now: Leaf) -> bool:
    """Whether a gradient from other weights was still there."""
    if last is None or last.after is None or now.before is None or last.weight is None or now.weight is None:
        return False
    return now.before.norm > 0 and now.before.mark == last.after.mark and now.weight.mark != last.weight.mark
