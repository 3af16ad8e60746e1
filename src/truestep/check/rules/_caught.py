"""Parameters that were frozen together with trained or loaded ones, and had been neither."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from truestep.check.changes import Moved, StateLoaded, Step
from truestep.check.events import Op
from truestep.check.rules._facts import constant, held
from truestep.check.trace import Trace

OFTEN = 5
FILLS = ("copy_", "data=", "set_", "_foreach_copy_")


class Caught(NamedTuple):
    """The call that froze them, those that had been trained or loaded, those that had not, and the steps since."""

    op: Op
    ready: tuple[int, ...]
    fresh: tuple[int, ...]
    steps: int


def caught(trace: Trace) -> Iterator[Caught]:
    """Lines that froze both kinds for good, where an optimizer holds the fresh ones and every pass uses them."""
    mine = held(trace)
    lines: dict[tuple[str, int], dict[int, Op]] = defaultdict(dict)
    for number, op in _last(trace).items():
        if number in mine and op.args[1:2] == (False,):
            lines[op.site.place][number] = op
    for frozen in lines.values():
        first = min(frozen.values(), key=lambda op: op.n)
        ready = frozen.keys() & _ready(trace, first.n)
        moves: dict[int, list[Moved]] = defaultdict(list)
        for step in trace.of(Step):
            for one in step.moved if step.n > first.n else ():
                moves[one.number].append(one)
        shapes = {each.number: each.shape for op in trace.of(Op) if op.n > first.n and op.grad and op.within
                  for each in op.inputs}  # fmt: skip
        fresh = [
            number for number in frozen.keys() - ready
            if number in shapes and len(moves[number]) >= OFTEN
            and not any(one.needs_grad or one.grad is not None or one.change for one in moves[number])
        ]  # fmt: skip
        random = [number for number in fresh if constant(moves[number][0].before, shapes[number]) is None]
        random = [number for number in random if len(shapes[number]) > 1]
        if ready and random:
            yield Caught(frozen[min(random)], tuple(sorted(ready)), tuple(sorted(fresh)), len(moves[random[0]]))


def _last(trace: Trace) -> dict[int, Op]:
    """The last call that set the flag of each tensor."""
    sets = trace.ops("requires_grad_", "requires_grad=")
    return {op.inputs[0].number: op for op in sets if op.inputs and not op.within}


def _ready(trace: Trace, before: int) -> set[int]:
    """The parameters that were trained, loaded or written by hand before an event."""
    found = {leaf.number for event in trace.backwards() if event.n < before
             for leaf in event.leaves if leaf.after is not None}  # fmt: skip
    loads = [event for event in trace.of(StateLoaded) if event.of == "module" and event.matched and event.n < before]
    owners = [trace.modules[event.owner] for event in loads if event.owner in trace.modules]
    written = {op.inputs[0].storage for op in trace.ops(*FILLS) if op.n < before and op.inputs}
    found |= {number for facts in owners for number in facts.parameters.values()}
    homes = (facts for facts in trace.modules.values())
    return found | {
        facts.parameters[name] for facts in homes for name, home in facts.storages.items() if home in written
    }
