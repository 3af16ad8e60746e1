"""Gradients are never cleared, so every update follows the sum of all gradients since the start.

What: a parameter that an update has already used still holds that gradient when the next backward pass adds its own.
Or a running sum of losses is differentiated at each update, so that each pass goes through all earlier ones again. Or
a critic is cleared after its own step, and follows what the generator's pass then leaves in it.

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

from collections import Counter, defaultdict
from collections.abc import Iterator

from truestep.check.changes import Backward, Clear, Step
from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.mends.clearing import Cleared
from truestep.check.rules import found
from truestep.check.rules._again import again
from truestep.check.rules._left_by_other import left_by_other
from truestep.check.rules._within import stepped_inside
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS101", "never_cleared", "gradients are never cleared", "error", "updates")
MENDING = Cleared()
OFTEN = 3  # updates in a row
ADDS = {"add", "add_", "__add__", "__radd__", "__iadd__"}


def look(trace: Trace) -> Iterator[Finding]:
    """Follow gradients by hand, losses and critics, then the gradient of each leaf."""
    yield from _by_hand(trace)
    yield from _once_more(trace)
    yield from _of_others(trace)
    yield from _added_to(trace)


def _added_to(trace: Trace) -> Iterator[Finding]:
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
            if update.step is not None:  # clipping, say, changed what the pass had left
                fresh |= {one.number: one.grad.mark for one in update.step.moved if one.grad and one.number in fresh}
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
    worst = _often(trace, stale, first)
    if worst:
        number = max(worst, key=lambda each: (stale[each], -first[each][0].n))
        event, before, after = first[number]
        yield found(
            RULE,
            event.site,
            f"the gradient of {trace.name(number)} still holds what an update has already used",
            f"before this pass its norm was {before:.3g} from earlier updates, after it {after:.3g}; so it was "
            f"{plural(stale[number], 'time')}, for {plural(len(worst), 'parameter')}",
            "each step follows the sum of the gradients of all batches so far, not that of this batch",
            "call optimizer.zero_grad() before each backward pass of a new step (by hand: p.grad = None)",
        )


def _of_others(trace: Trace) -> Iterator[Finding]:
    """What a generator's pass leaves in its critic."""
    for site, message, evidence in left_by_other(trace):
        yield found(
            RULE, site, message, evidence, "the critic is moved by the generator's loss, which wants it to be wrong",
            "clear the critic's gradients just before its own pass", "warning",
        )  # fmt: skip


def _often(trace: Trace, stale: Counter[int], first: dict[int, tuple[Backward, float, float]]) -> list[int]:
    """The leaves that were added to often enough, those too whose gradients steps inside the passes used."""
    for number, passes in stepped_inside(trace).items():
        if number not in stale:
            stale[number], first[number] = len(passes), passes[0]
    return [number for number, count in stale.items() if count >= OFTEN]


def _by_hand(trace: Trace) -> Iterator[Finding]:
    """Gradients that are fetched from elsewhere and added to what an update has already used."""
    owner: dict[int, int] = {}  # a gradient's tensor -> the parameter that it was read from
    spent: set[int] = set()
    added: dict[int, list[Op]] = defaultdict(list)
    for event in trace.of(Op, Step, Clear, Backward):
        if isinstance(event, Step):
            spent |= {one.number for one in event.moved if one.change > 0} if not event.nested else set()
        elif isinstance(event, Clear):
            spent -= {number for number, _ in event.held}
        elif isinstance(event, Backward):
            spent -= {leaf.number for leaf in event.leaves} if event.close else spent
        elif event.name == "grad=" and event.inputs:
            spent.discard(event.inputs[0].number)  # another gradient takes its place
        elif event.name == "grad" and event.inputs and event.out:
            owner[event.out[0].number] = event.inputs[0].number
        elif event.name in ADDS and len(event.inputs) > 1:
            mine = {owner.get(each.number, 0) for each in event.inputs}
            for number in mine & spent:
                kept = event.out[0].number == event.inputs[0].number or _given(trace, event, number)
                added[number] += [event] if kept else []
                spent.discard(number)
    worst = [number for number, ops in added.items() if len(ops) >= OFTEN]
    if worst:
        op = added[worst[0]][0]
        yield found(
            RULE,
            op.site,
            f"this adds to the gradient of {trace.name(worst[0])} what an update has already used",
            f"{len(added[worst[0]])} times it was added to after a step that had used it, without being cleared; so "
            f"for {plural(len(worst), 'parameter')}",
            "each step follows the sum of all gradients so far, not that of this step",
            "clear the gradients of what the optimizer holds before each new step: optimizer.zero_grad()",
        )


def _once_more(trace: Trace) -> Iterator[Finding]:
    """Losses that hold those of earlier updates."""
    for passes, terms in again(trace):
        yield found(
            RULE,
            passes[0].site,
            "this loss holds losses that earlier updates have used, and their gradients are added once more",
            f"{plural(len(passes), 'pass', 'passes')} went back through results that a pass before the last step had "
            f"gone through; the last one holds {plural(terms, 'such term')}",
            "each step follows the sum of the gradients of all losses so far, not that of this batch",
            "differentiate the loss of this batch alone, and sum up loss.item() for what is reported",
            facts={"edit": True},
        )


def _given(trace: Trace, op: Op, number: int) -> bool:
    """Whether a sum becomes the gradient of a parameter."""
    uses = [user for user in trace.users(op.out[0], op.n) if user.name == "grad="]
    return any(user.inputs[0].number == number for user in uses)


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
