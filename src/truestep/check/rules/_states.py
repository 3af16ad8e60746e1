"""Questions about state dicts, modules and the names that hold them, asked by several rules."""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import StateLoaded, StateTaken, Step
from truestep.check.events import Names
from truestep.check.trace import Trace


def storages(trace: Trace, module: int) -> set[int]:
    """The memory of a module's parameters and buffers."""
    facts = trace.modules.get(module)
    return set() if facts is None else {*facts.storages.values(), *facts.buffers.values()}


def steps_on(trace: Trace, module: int, first: int, last: int) -> int:
    """How many steps of optimizers that hold a module's parameters lie between two events."""
    facts = trace.modules.get(module)
    if facts is None:
        return 0
    own = set(facts.parameters.values())
    movers = {optimizer for optimizer in trace.optimizers() if trace.held(optimizer) & own}
    return sum(first < step.n < last and step.optimizer in movers for step in trace.of(Step))


def dicts(trace: Trace, event: Names) -> Iterator[tuple[str, int, set[int]]]:
    """The dicts of tensors that names hold: name, number, storages."""
    for name, value in event.held.items():
        if isinstance(value, tuple) and value and value[0] == "dict" and len(value) > 2 and value[2]:
            yield name, value[1], set(value[2])


def aliases(event: Names, module: int) -> list[str]:
    """The names that stand for one module."""
    return [name for name, value in event.held.items() if value == ("module", module)]


def around(trace: Trace, load: StateLoaded) -> Names | None:
    """The names as they were when a state was loaded."""
    return next((event for event in trace.of(Names) if event.n > load.n and event.when == "load_state_dict"), None)


def taken_before(trace: Trace, load: StateLoaded) -> int:
    """When the state that a module loads from its own memory was taken; the event, or 0 where it cannot be told.

    The oldest dict of the module's memory that a name held on to until the load; without one, the last state taken.
    """
    held = around(trace, load)
    own = storages(trace, load.owner)
    ages: list[int] = []
    if held is not None:
        known = {number for _, number, memory in dicts(trace, held) if memory <= own and number}
        for event in trace.of(StateTaken):
            if event.state in known and event.n < load.n:
                ages.append(event.n)
        for event in trace.of(Names):
            if event.n < load.n and any(number in known for _, number, _ in dicts(trace, event)):
                ages.append(event.n)
    if ages:
        return min(ages)
    taken = [event.n for event in trace.of(StateTaken) if event.owner == load.owner and event.n < load.n]
    return taken[-1] if taken else 0
