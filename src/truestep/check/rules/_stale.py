"""Models that are scored and never trained, while a twin that began with the same weights is trained for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from truestep.check.changes import Saved, StateLoaded, Step
from truestep.check.events import Forward
from truestep.check.rules._batches import ends, split
from truestep.check.rules._rows import scored
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN = 5


class Twins(NamedTuple):
    """A copy and what it was made of: the one that is scored, the one that is trained, and where and how often."""

    made: Site
    scored: int
    trained: int
    call: Forward
    steps: int


def twins(trace: Trace) -> Iterator[Twins]:
    """Models that were scored after the training of a twin with the weights that both had when one was copied.

    The trained one is never called but to train it, and its state goes nowhere: it was trained for nothing.
    """
    copies = [event for event in trace.of(Saved) if event.how == "deepcopy" and event.weights]
    if not copies:
        return
    trained, others = split(trace)
    moved: dict[int, list[Step]] = {}
    for step in trace.of(Step):
        for one in step.moved:
            if one.change > 0:
                moved.setdefault(one.number, []).append(step)
    kept = {module for event in trace.of(Saved) if event.how == "save" for module in event.modules}
    loads = {event.owner for event in trace.of(StateLoaded) if event.of == "module"} | kept
    for module in dict.fromkeys(call.module for call in others):
        facts = trace.modules[module]
        calls = [call for call in trace.of(Forward) if call.module == module and call.depth == 0]
        marks = {call.weights for call in calls if call.close}
        mine = set(facts.parameters.values())
        if len(marks) != 1 or mine & moved.keys() or any(call.grad and call.training for call in calls):
            continue
        copy = next((event for event in copies if marks & set(event.weights) and event.n < calls[0].n), None)
        twin = _twin(trace, module, [call.module for call in trained]) if copy is not None else 0
        if copy is None or not twin or {module, twin} & loads:
            continue
        steps = moved.get(min(trace.modules[twin].parameters.values()), [])
        enough = steps[OFTEN - 1].n if len(steps) >= OFTEN else trace.events[-1].n
        late = [call for call in others if call.module == module and call.n > enough]
        met = [call for call in late if scored(trace, call)]
        learned = any(ends(trace, out, call.n)[1] for call in late for out in call.outputs)
        if met and steps[0].n > copy.n and not learned and not _asked(trace, twin, steps[0].n):
            yield Twins(copy.site, module, twin, met[-1], len(steps))


def _twin(trace: Trace, module: int, trained: list[int]) -> int:
    """The trained module of the same class, with parameters of the same names."""
    facts = trace.modules[module]
    like = [
        number for number in dict.fromkeys(trained)
        if number != module and trace.modules[number].kind == facts.kind
        and trace.modules[number].parameters.keys() == facts.parameters.keys()
    ]  # fmt: skip
    return like[0] if len(like) == 1 else 0


def _asked(trace: Trace, twin: int, after: int) -> bool:
    """Whether a trained model, or any module that shares its weights, was called for anything else than training."""
    weights = set(trace.modules[twin].parameters.values())
    sharing = {number for number, facts in trace.modules.items() if weights & set(facts.parameters.values())}
    calls = (event for event in trace.of(Forward) if event.module in sharing and event.depth == 0 and event.n > after)
    return any(not event.grad or not event.training for event in calls)
