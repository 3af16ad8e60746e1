"""Gradients that a generator's pass left in its critic, and that the critic's own step then follows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.changes import Backward, Clear, Step
from truestep.check.events import Forward
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN, DEEP = 3, 12


def left_by_other(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Steps of one optimizer on gradients of a pass that went through its weights to those of another one, which has
    stepped on it already; in that pass the other's outputs are its inputs.
    """
    homes = {number: optimizer for optimizer in trace.optimizers() for number in trace.held(optimizer)}
    for steps in _steps(trace, homes).values() if len(trace.optimizers()) > 1 else ():
        if len(steps) >= OFTEN:
            rest, step = steps[0]
            names = [leaf for leaf in rest.leaves if homes.get(leaf.number) == step.optimizer]
            yield (
                step.site, "this step follows a gradient that the other network's pass left here",
                f"at {len(steps)} steps looked at {trace.name(names[0].number)} still held what the pass on line "
                f"{rest.site.line} had left, which another optimizer had stepped on already; that pass went through it "
                "to the weights of that one",
            )  # fmt: skip
            return


def _steps(trace: Trace, homes: dict[int, int]) -> dict[int, list[tuple[Backward, Step]]]:
    """By optimizer: the pass that left a gradient, and the step that followed it beside that of a pass of its own."""
    feeds = _feeds(trace, homes)
    resting: dict[int, Backward] = {}  # a critic's leaf -> the pass that left it
    used: set[int] = set()  # the passes that a step has followed
    found: dict[int, list[tuple[Backward, Step]]] = defaultdict(list)
    last: Backward | None = None
    for event in trace.of(Backward, Clear, Step) if feeds else ():
        if isinstance(event, Clear):
            for number, _ in event.held:
                resting.pop(number, None)
        elif isinstance(event, Backward):
            last = event if event.how == "backward" and event.close and not event.nested else last
        elif last is not None and not event.nested:
            mine = {one.number for one in event.moved if one.change > 0}
            reached = {leaf.number for leaf in last.leaves}
            left = [resting.pop(number) for number in sorted(mine) if number in resting]
            if mine & reached and last.n not in used:
                found[event.optimizer] += [(left[0], event)] if left and left[0].n != last.n else []
                critics = {critic for maker, critic in feeds if maker == event.optimizer}
                resting |= dict.fromkeys((n for n in reached if homes.get(n) in critics), last)
            used.add(last.n)
    return found


def _feeds(trace: Trace, homes: dict[int, int]) -> set[tuple[int, int]]:
    """Pairs of optimizers: modules of the first give, with a graph, what modules of the second are asked of."""
    calls = [event for event in trace.of(Forward) if event.depth == 0 and event.grad]
    given: dict[int, int] = {}
    pairs: set[tuple[int, int]] = set()
    for call in calls:
        mine = _optimizer(trace, call, homes)
        for each in call.inputs if mine else ():
            way = [each.number, *(seen.number for seen, _ in trace.back([each], call.began, DEEP))]
            pairs |= {(given[number], mine) for number in way if number in given and each.needs_grad}
        given |= dict.fromkeys((out.number for out in call.outputs if out.needs_grad), mine)
    return {(one, other) for one, other in pairs if one and one != other and (other, one) not in pairs}


def _optimizer(trace: Trace, call: Forward, homes: dict[int, int]) -> int:
    facts = trace.modules.get(call.module)
    own = (
        {homes[number] for number in facts.parameters.values() if number in homes} if facts is not None else set[int]()
    )
    return own.pop() if len(own) == 1 else 0
