"""Gradients are never cleared, so every update follows the sum of all gradients since the start.

What: a parameter that an update has already used still holds that gradient when the next backward pass adds its own.

Why: `backward()` adds to `.grad`. The step then follows the sum of the gradients of all batches since the last
clearing, at weights that are long gone, and grows with the number of batches.

Evidence: before the backward pass `.grad` had a norm above zero, an update had used it since the pass that made it,
and nothing cleared or replaced it in between; several times in a row.

False alarms: accumulation over micro-batches adds on purpose, but no update lies between. Momentum kept in `.grad` by
hand multiplies it between the update and the pass, so its bits differ from those that the update used. Passes of a
closure are judged by closure_not_clearing.

Mend: `optimizer.zero_grad()` at the start of each step, or `p.grad = None` after a hand-written update.

Wrong:
    for x, y in loader:
        loss_fn(model(x), y).backward()
        optimizer.step()

Right:
    for x, y in loader:
        optimizer.zero_grad()
        loss_fn(model(x), y).backward()
        optimizer.step()
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from truestep.check.changes import Backward, Clear, Step
from truestep.check.finding import Finding, Rule
from truestep.check.mends.clearing import Cleared
from truestep.check.rules import found
from truestep.check.trace import Trace

RULE = Rule("TS101", "never_cleared", "gradients are never cleared", "error", "updates")
MENDING = Cleared()
OFTEN = 3  # updates in a row


def look(trace: Trace) -> Iterator[Finding]:
    """Follow the gradient of each leaf from one update over the passes between to the next."""
    spent: dict[int, int] = {}  # leaf -> the bits of a gradient that an update has used
    fresh: dict[int, int] = {}  # leaf -> the bits that the last pass left
    pending: dict[int, tuple[Backward, float, float]] = {}  # the last pass that added to a spent gradient
    stale: Counter[int] = Counter()
    first: dict[int, tuple[Backward, float, float]] = {}
    moves = {update.at.n: update for update in trace.updates()}
    within = {b.n for step in trace.of(Step) if step.closure for b in trace.between(step.began, step.n, Backward)}
    for event in trace.events:
        update = moves.get(event.n)
        if update is not None:
            for number in update.by_hand if update.step is None else [one.number for one in update.step.moved]:
                if number in pending:
                    stale[number] += 1
                    first.setdefault(number, pending.pop(number))
                if number in fresh:
                    spent[number] = fresh[number]
        if isinstance(event, Clear):
            for number, _ in event.held:
                spent.pop(number, None)
                pending.pop(number, None)
        elif isinstance(event, Backward) and event.how == "backward" and not event.nested and event.n not in within:
            _passed(event, spent, fresh, pending)
    worst = [number for number, count in stale.items() if count >= OFTEN]
    if worst:
        number = max(worst, key=lambda each: (stale[each], -first[each][0].n))
        event, before, after = first[number]
        yield found(
            RULE,
            event.site,
            f"the gradient of {trace.name(number)} still holds what an update has already used",
            f"before this pass its norm was {before:.3g} from earlier updates, after it {after:.3g}; so it was "
            f"{stale[number]} times, for {len(worst)} parameters",
            "each step follows the sum of the gradients of all batches so far, not that of this batch",
            "call optimizer.zero_grad() before each backward pass of a new step (by hand: p.grad = None)",
        )


def _passed(
    event: Backward, spent: dict[int, int], fresh: dict[int, int], pending: dict[int, tuple[Backward, float, float]]
) -> None:
    for leaf in event.leaves:
        before, after = leaf.before, leaf.after
        if before is None or not before.norm:
            pending.pop(leaf.number, None)
        elif leaf.number in pending or spent.get(leaf.number) == before.mark:
            pending[leaf.number] = (event, before.norm, after.norm if after else 0.0)
        spent.pop(leaf.number, None)
        if after is not None:
            fresh[leaf.number] = after.mark
