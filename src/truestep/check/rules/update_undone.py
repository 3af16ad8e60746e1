"""Somebody puts the weights back, again and again, while one optimizer trains on.

What: between two steps of the same optimizer the weights return to the bits that they had before its first step; or
each step is undone at once, as by a search that puts the old weights back behind the step instead of before it; or
they are initialised anew, several times; or they are drawn back by a mean with another module's that nobody moves; or
others stand in for them in each evaluation, and stay; or what is loaded is overwritten by the next load.

Why: what was learned since is lost at each time. The optimizer's moments, which are not put back, belong to weights
that are gone.

Evidence: the digests before and after the steps: those found are not those left, and equal to the very first ones; or
the first passes of all updates, that saw the same weights, and the writes that came between a step and the next call of
a model; or the calls that filled the weights with random numbers between the steps. Of a mean: its two factors, and
that the other module keeps every bit while it gives the targets, or makes up half of the mean and more. Of others that
stay: that the old weights were taken aside, live on, and are read by no call.

False alarms: averaged weights are swapped in and out again: then the weights return to where they were. The best
weights may be put back: these are not the first. A new fold or trial has a new optimizer or loads its state. Weights
that are adapted to one sample and put back were used in between. Weights may be held near to where they began by a
small share of these, which are then no targets.

Mend: initialise once, before the loop; take the backup when the weights are swapped, not before the training.

Wrong:
    for epoch in range(10):
        model.apply(init_weights)
        train(model, optimizer)

Right:
    model.apply(init_weights)
    for epoch in range(10):
        train(model, optimizer)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from truestep.check.changes import Backward, StateLoaded, Step
from truestep.check.events import Event, Forward, Op
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._mixed import mixed
from truestep.check.rules._overwritten import overwritten, unread_writes
from truestep.check.rules._swapped import WRITES, swapped
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS105", "update_undone", "the weights are put back between the steps", "error", "updates")
OFTEN = 2
RANDOM = (
    "uniform_",
    "normal_",
    "trunc_normal_",
    "kaiming_uniform_",
    "kaiming_normal_",
    "orthogonal_",
    "_no_grad_uniform_",
)
WHY = "what the steps before it learned is lost each time"


def look(trace: Trace) -> Iterator[Finding]:
    """Compare what each step left with what the next one found."""
    yield from _drawn_back(trace)
    yield from _overwritten(trace)
    shapes = {leaf.number: (leaf.storage, leaf.shape) for event in trace.backwards() for leaf in event.leaves}
    homes = {home: number for number, home in shapes.items()}
    drawn: dict[int, list[Op]] = defaultdict(list)
    for op in trace.ops(*RANDOM):
        for each in op.inputs[:1]:
            if (each.storage, each.shape) in homes:
                drawn[homes[each.storage, each.shape]].append(op)
    for optimizer in trace.optimizers():
        steps = [step for step in trace.of(Step) if step.optimizer == optimizer and step.close and step.moved]
        loads = [event.n for event in trace.of(StateLoaded) if event.of == "optimizer" and event.owner == optimizer]
        if len(steps) > OFTEN and not loads:
            told = [*_returned(trace, steps)]
            yield from told or [*_at_once(trace, optimizer)] or _left_in(trace, steps)
            yield from _drawn(trace, steps, drawn)


def _returned(trace: Trace, steps: list[Step]) -> Iterator[Finding]:
    """Where the weights are those of before the first step."""
    start = {one.number: one.before for one in steps[0].moved}
    jumps: list[tuple[Step, Step, bool]] = []
    for last, step in pairwise(steps):
        left = {one.number: one.after for one in last.moved}
        moved = [one for one in step.moved if one.number in left and left[one.number] != one.before]
        if moved and step.update == last.update + 1:
            jumps.append((last, step, all(one.before == start.get(one.number) for one in moved)))
    if len(jumps) == len(steps) - 1 and all(_used(trace, last, step) for last, step, _ in jumps):
        return  # each step was for what came right behind it
    if len(jumps) >= OFTEN and all(first for _, _, first in jumps):
        last, step, _ = jumps[0]
        loads: list[Event] = [*trace.between(last.n, step.began, StateLoaded), *_writes(trace, last, step.began)]
        where = loads[-1] if loads else step
        largest = max(step.moved, key=lambda one: one.before.norm if one.before else 0.0)
        yield found(
            RULE,
            where.site,
            "the weights are put back to what they were before the first step",
            f"{plural(len(jumps), 'time')} a step found not what the last one had left but the very first weights, "
            "bit for bit "
            f"({trace.name(largest.number)}, norm {largest.before.norm if largest.before else 0.0:.6g})",
            WHY,
            "put back what was there before the swap: take the backup then, not before the training",
        )


def _at_once(trace: Trace, optimizer: int) -> Iterator[Finding]:
    """Where each step is undone before anybody used what it left: the next pass begins where the last one did."""
    undone: list[Op] = []
    pairs = 0
    for (first, last), (after, _) in pairwise(_firsts(trace, optimizer)):
        old, new = _found(first), _found(after)
        moved = {one.number for one in last.moved if one.change > 0}
        if not moved or last.closure or not moved <= old.keys() & new.keys():
            continue
        pairs += 1
        writes = _writes(trace, last, after.n)
        calls = trace.between(last.n, writes[0].n, Forward) if writes else ()
        if all(old[number] == new[number] for number in moved) and writes and not calls:
            undone.append(writes[0])
    if len(undone) > OFTEN and len(undone) == pairs:
        yield found(
            RULE,
            undone[0].site,
            "each step is undone here, before anybody used the weights that it left",
            f"{plural(len(undone), 'time')} the first pass after a step found all weights as the first pass before it, "
            f"bit for bit, though the step had moved them; so it was at all of {pairs} steps looked at",
            WHY,
            "put the old weights back before the step, so that it starts from them",
        )


def _overwritten(trace: Trace) -> Iterator[Finding]:
    """Where new weights are loaded into a module, and others at once after them."""
    for one, other, times in overwritten(trace):
        yield found(
            RULE,
            other.site,
            f"the state that {trace.name(other.owner)} was given just before is overwritten here, unread",
            f"{plural(times, 'time')} line {one.site.line} loaded other weights, and no call, step or copy came before "
            "this load put its own in their place",
            "what was computed for the first load never takes effect",
            "load one of the two, or do this load before the first one's weights are computed",
        )
    for op, load, times in unread_writes(trace):
        yield found(
            RULE,
            load.site,
            f"what was done to the weights of {trace.name(load.owner)} just before is overwritten here, unread",
            f"{plural(times, 'time')} line {op.site.line} moved them by {op.name}, and no call, step or copy came "
            "before this load put others in their place",
            "that update never takes effect",
            "load first, and then move the weights",
        )


def _drawn_back(trace: Trace) -> Iterator[Finding]:
    """Where trained weights are mixed with those of a module that nobody moves: a mean that goes the wrong way."""
    for one in mixed(trace):
        name = trace.name(one.source)
        use = f", which gave the targets of {one.targets} passes" if one.targets else ""
        yield found(
            RULE,
            one.op.site,
            f"the trained weights are mixed here with those of {name}, which nobody moves: the mean goes the wrong way",
            f"after {plural(one.times, 'update')} the trained weights became {1 - one.share:.4g} of themselves and "
            f"{one.share:.4g} of the other's; these kept every bit at all {one.calls} calls looked at{use}",
            "what should follow the training stands still, and the training is drawn back to it",
            "write into the other module: target.lerp_(weight, tau)",
        )
        return


def _left_in(trace: Trace, steps: list[Step]) -> Iterator[Finding]:
    """Where others stand in for the weights in an evaluation, and stay."""
    one = swapped(trace, steps)
    if one is not None:
        yield found(
            RULE,
            one.op.site,
            "the weights are exchanged here for an evaluation, and never put back: the training goes on from others",
            f"{plural(one.times, 'time')} the step after an evaluation found none of the {len(one.numbers)} weights "
            f"that the last one had left; these are kept in {one.name}, and no call reads them",
            WHY,
            "put the kept weights back after the evaluation, in a finally, so that nothing can come between",
            "warning",
        )


def _firsts(trace: Trace, optimizer: int) -> list[tuple[Backward, Step]]:
    """The steps of an optimizer, each with the first pass since the step before it."""
    found, first = [], None
    for event in trace.of(Backward, Step):
        if isinstance(event, Backward):
            first = first or event
        elif first is not None and not event.nested:
            found += [(first, event)] if event.optimizer == optimizer else []
            first = None
    return found


def _found(event: Backward) -> dict[int, int]:
    """The weights that a pass saw."""
    return {leaf.number: leaf.weight.mark for leaf in event.leaves if leaf.weight is not None}


def _used(trace: Trace, last: Step, step: Step) -> bool:
    """Whether a model was called between a step and the write behind it."""
    writes = _writes(trace, last, step.began)
    return bool(writes and trace.between(last.n, writes[0].n, Forward))


def _writes(trace: Trace, last: Step, before: int) -> list[Op]:
    return [op for op in trace.between(last.n, before, Op) if op.name in WRITES]


def _drawn(trace: Trace, steps: list[Step], drawn: dict[int, list[Op]]) -> Iterator[Finding]:
    """Where weights that were trained are drawn anew."""
    first, last = steps[0].n, steps[-1].n
    moved = {one.number for step in steps for one in step.moved if one.change > 0}
    again = {n: [op for op in ops if first < op.n < last] for n, ops in drawn.items() if n in moved}
    again = {number: ops for number, ops in again.items() if len({op.update for op in ops}) >= OFTEN}
    if again:
        number, ops = next(iter(again.items()))
        times = len({op.update for op in ops})
        yield found(
            RULE,
            ops[0].site,
            f"weights that are being trained are filled with random numbers: {trace.name(number)}",
            f"{plural(times, 'time')} between the steps of one optimizer, first after "
            f"{plural(ops[0].update, 'update')}; "
            f"{plural(len(again), 'parameter')}",
            WHY,
            "initialise once, before the loop",
        )
