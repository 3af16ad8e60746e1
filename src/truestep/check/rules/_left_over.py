"""A best value of one run that the next run has to beat: the next model ends with the weights of the one before."""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import Backward, StateLoaded, StateTaken, Step
from truestep.check.rules._guards import Guard, guards
from truestep.check.trace import Trace


def left_over(trace: Trace) -> Iterator[tuple[Guard, str, str]]:
    """Models that were trained, and were then given for good what an earlier model of the same kind had at its best."""
    taken = [event for event in trace.of(StateTaken) if event.of == "module" and event.weights]
    kept = [(guard, event) for guard in guards(trace) if guard.sets for event in taken if guard.inside(event)]
    marks = {event.weights: (guard, event) for guard, event in kept}
    own: dict[tuple[str, int], int] = {}
    late: dict[tuple[str, int], list[StateLoaded]] = {}
    for load in trace.of(StateLoaded):
        if load.of != "module" or load.weights not in marks:
            continue
        event = marks[load.weights][1]
        if event.owner == load.owner:
            own[load.site.place] = load.owner
        elif own.get(load.site.place) == event.owner and _given_up(trace, load, event):
            late.setdefault(load.site.place, []).append(load)
    for loads in late.values():
        load = loads[0]
        guard, event = marks[load.weights]
        steps = _steps(trace, load.owner, event.n, load.n)
        yield (
            guard,
            f"{guard.best} is not set back for the next model, which has to beat the one before",
            f"a model that had made {steps} updates was given the weights that another one had after "
            f"{event.update} updates, when {guard.best} was last set, and was trained no further; so it went "
            f"{'once' if len(loads) == 1 else f'{len(loads)} times'} on line {load.site.line}, where the first model "
            "was given its own",
        )


def _given_up(trace: Trace, load: StateLoaded, event: StateTaken) -> bool:
    """Whether a model was trained after another's state was taken, and not after that was loaded into it."""
    done = max((each.n for each in trace.of(Step, Backward)), default=0)
    return _steps(trace, load.owner, event.n, load.n) > 0 and not _steps(trace, load.owner, load.n, done + 1)


def _steps(trace: Trace, module: int, first: int, last: int) -> int:
    """The steps between two events of the optimizers that hold a module's parameters."""
    facts = trace.modules.get(module)
    mine = set(facts.parameters.values()) if facts is not None else set[int]()
    optimizers = {number for number in trace.optimizers() if mine & trace.held(number)}
    return sum(step.optimizer in optimizers for step in trace.between(first, last, Step))
