"""The best weights were kept as a reference, so they are the last ones.

What: `best = model.state_dict()`, a shallow copy of it, or `best = model` keeps no weights: the tensors in it are the
model's own, and every later update changes them too.

Why: what is restored, saved or returned as the best model is the model of the last update.

Evidence: the state that is loaded shares its memory with the model that loads it, and was taken updates before; or a
name for the best model is the very module, or holds the very memory, that was updated after the best value was read.
Where a newer state replaced it each time, what counts is that the updates between changed what the name stood for.

False alarms: a state that is loaded or written at once needs no copy and is no finding.

Mend: `best = copy.deepcopy(model.state_dict())`.

Wrong:
    if val_loss < best_loss:
        best_loss, best_state = val_loss, model.state_dict()

Right:
    if val_loss < best_loss:
        best_loss, best_state = val_loss, copy.deepcopy(model.state_dict())
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import Saved, StateLoaded, StateTaken
from truestep.check.events import Names, Number
from truestep.check.finding import Finding, Rule
from truestep.check.mends.keeping import Copied
from truestep.check.rules import found
from truestep.check.rules._guards import guards
from truestep.check.rules._states import dicts, steps_on, storages, taken_before
from truestep.check.site import Site
from truestep.check.trace import Trace

RULE = Rule("TS672", "best_is_reference", "the best weights are a reference", "error", "reporting")
MENDING = Copied()
WHY = "the best model is the last one: what was better is lost"
MEND = "keep a copy: copy.deepcopy(model.state_dict())"


def look(trace: Trace) -> Iterator[Finding]:
    """Look for states that are loaded into their own memory, and for best models that were trained on."""
    said = False
    for load in trace.of(StateLoaded):
        if load.of == "module" and load.matched and load.shared == load.matched:
            taken = taken_before(trace, load)
            steps = steps_on(trace, load.owner, taken, load.n) if taken else 0
            earlier = None if steps or not taken else _replaced(trace, load.owner, load.n)
            if earlier is not None:
                said = True
                first, held, steps = earlier
                yield found(
                    RULE, first.site,
                    "the state that is kept here shares its memory with the model",
                    f"{held} stood for the model's own memory from the state taken after {first.update} updates on, "
                    f"and {steps} updates changed it until the next one was taken; in the end {load.shared} of "
                    f"{load.matched} tensors were loaded from themselves",
                    WHY, MEND,
                )  # fmt: skip
            elif steps:
                said = True
                yield found(
                    RULE, _taken(trace, load.owner, taken) or load.site,
                    "the state that is loaded shares its memory with the model",
                    f"{load.shared} of {load.matched} tensors are the model's own; {steps} updates changed them since "
                    "the state was taken",
                    WHY, MEND,
                )  # fmt: skip
    if not said:
        yield from _kept(trace)


def _replaced(trace: Trace, owner: int, before: int) -> tuple[StateTaken, str, int] | None:
    """A state taken where a best value is compared, which a name held on to while the model was trained further."""
    places = guards(trace)
    taken = {
        event.state: event
        for event in trace.of(StateTaken)
        if event.owner == owner and event.state and event.n < before and any(guard.inside(event) for guard in places)
    }
    for event in trace.of(Names) if taken else ():
        for name, number, memory in dicts(trace, event):
            if number in taken and event.n < before and memory <= storages(trace, owner):
                steps = steps_on(trace, owner, taken[number].n, event.n)
                if steps:
                    return taken[number], name, steps
    return None


def _taken(trace: Trace, owner: int, last: int) -> Site | None:
    found = [event for event in trace.of(StateTaken) if event.owner == owner and event.n <= last]
    return found[-1].site if found else None


def _kept(trace: Trace) -> Iterator[Finding]:
    """Names for a best model that hold what was trained on after they were given it."""
    snapshots = trace.of(Names)
    since: dict[tuple[str, int], int] = {}
    last: dict[str, tuple[int, Names, int]] = {}
    for event in snapshots:
        for name, module, number in _best(trace, event):
            since.setdefault((name, number), event.n)
            last[name] = (module, event, number)
    for name, (module, event, number) in last.items():
        first = min(since[name, number], _read(trace, event, name) or event.n)
        steps = steps_on(trace, module, first, event.n)
        if steps and not _written(trace, module, number, since[name, number]):
            yield found(
                RULE,
                _taken(trace, module, event.n) or _line(trace, module) or event.site,
                f"{name} is the model in training itself",
                f"{name} stands for the memory of {trace.name(module)}, which {steps} updates changed after the best "
                "value was read",
                WHY, MEND, level="warning",
            )  # fmt: skip


def _written(trace: Trace, module: int, number: int, since: int) -> bool:
    """Whether what the name stands for was written to a file before any update came."""
    taken = next((event.n for event in trace.of(StateTaken) if event.state == number), since)
    saves = [
        event.n for event in trace.of(Saved) if event.how == "save" and module in event.modules and event.n > taken
    ]
    return bool(saves) and not steps_on(trace, module, taken, saves[0])


def _best(trace: Trace, event: Names) -> Iterator[tuple[str, int, int]]:
    for name, value in event.held.items():
        if "best" in name.rpartition(".")[2].lower() and isinstance(value, tuple) and value and value[0] == "module":
            yield name, value[1], value[1]
    for name, number, memory in dicts(trace, event):
        if "best" in name.rpartition(".")[2].lower():
            for module in trace.modules:
                if memory <= storages(trace, module) and number:
                    yield name, module, number
                    break


def _read(trace: Trace, event: Names, name: str) -> int | None:
    """When the best value beside a best model was read: a float of the same owner that a tensor gave."""
    owner = name.rpartition(".")[0]
    values = {
        value
        for other, value in event.held.items()
        if isinstance(value, float) and other.rpartition(".")[0] == owner and "best" in other.lower()
    }
    reads = [number.n for number in trace.of(Number) if number.value in values and number.n < event.n]
    return reads[-1] if reads else None


def _line(trace: Trace, module: int) -> Site | None:
    from truestep.check.events import Forward

    return next((event.site for event in trace.of(Forward) if event.module == module), None)
