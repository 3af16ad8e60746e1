"""Frozen teachers whose noise is on: what they give in train mode is what another model is trained towards."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from truestep.check.changes import StateLoaded, Step
from truestep.check.events import Forward, Mode, Op
from truestep.check.rules._chains import reaches
from truestep.check.rules._evaluations import Call
from truestep.check.rules._facts import loaded
from truestep.check.trace import LOSSES, ModuleFacts, Trace

OFTEN = 3
MEETS = LOSSES | {"sub", "cosine_similarity"}


def teachers(trace: Trace, calls: Iterable[Call]) -> Iterator[list[Call]]:
    """The calls of models that were trained or loaded, and are never changed while others learn from what they give.

    Left out are those that somebody put in train mode after that, those that also teach in eval mode, and those that
    are asked several times for the same rows.
    """
    known: dict[int, list[Call]] = defaultdict(list)
    for call in calls:
        event = call.event
        if event.outputs and not any(out.needs_grad for out in event.outputs) and _taught(trace, event):
            known[event.module].append(call)
    before = loaded(trace)
    for number, held in known.items():
        facts, first, last = trace.modules.get(number), held[0].event, held[-1].event
        if facts is None or len(held) < OFTEN or not facts.parameters:
            continue
        own = set(facts.parameters.values())
        moves = [step.n for step in trace.of(Step) if any(one.number in own and one.change > 0 for one in step.moved)]
        learned = bool(moves and moves[0] < first.n) or own <= before
        steps = (step.n for step in trace.of(Step) if step.n < first.n and own & trace.held(step.optimizer))
        since = max(steps, default=0)  # those too that nobody looked at closely
        modes = [mode.n for mode in trace.of(Mode) if mode.module == number and since < mode.n < last.n]
        quiet = [
            event for event in trace.of(Forward)
            if event.module == number and not event.training and first.n < event.n < last.n
        ]  # fmt: skip
        again = Counter((each.event.update, tuple(seen.rows for seen in each.event.inputs)) for each in held)
        still = not any(n > first.n for n in moves) and not _written(trace, facts, number, first.n, last.n)
        if learned and still and not modes and not quiet and max(again.values()) == 1:
            yield held


def _taught(trace: Trace, event: Forward) -> bool:
    """Whether what a call gave was compared with what has a gradient: it was a target of somebody's."""
    ops, numbers = reaches(trace, event.outputs, event.n, 60)
    return any(
        op.name in MEETS
        and op.inputs[0].shape == op.inputs[-1].shape
        and any(each.needs_grad and not each.leaf and each.number not in numbers for each in op.inputs)
        for op in ops if len(op.inputs) > 1
    )  # fmt: skip


def _written(trace: Trace, facts: ModuleFacts, number: int, first: int, last: int) -> bool:
    """Whether the weights were written into in between, as an average of another model's is."""
    memory = set(facts.storages.values())
    writes = (op for op in trace.between(first, last, Op) if op.name.endswith("_") or op.name == "data=")
    loads = (event for event in trace.between(first, last, StateLoaded) if event.owner == number)
    return any(memory & {each.storage for each in op.inputs} for op in writes) or any(loads)
