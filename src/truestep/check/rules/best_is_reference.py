"""The best weights were kept as a reference, so they are the last ones.

What: `best = model.state_dict()`, a shallow copy of it, or `best = model` keeps no weights: the tensors in it are the
model's own, and every later update changes them too.

Why: what is restored, saved or returned as the best model is the model of the last update.

Evidence: the state that is loaded shares its memory with the model that loads it, and was taken updates before; or a
name for the best model, what is set beside the best value, or each entry of a list of states, is the very module, or
holds the very memory, that was updated afterwards; or parameters are set to themselves after updates, or compared
with themselves, where what they were once is to hold them (a penalty on the distance from an earlier task, say).
An average of the weights, which the program writes into after updates, is such a module too. Where a newer state
replaced it each time, what counts is that the updates between changed what the name stood for.

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
from truestep.check.events import Forward, Names
from truestep.check.finding import Finding, Rule
from truestep.check.mends.keeping import Copied
from truestep.check.rules import found
from truestep.check.rules._anchored import anchored
from truestep.check.rules._guards import guards
from truestep.check.rules._kept import Held, alike, beside_best, by_name
from truestep.check.rules._memory import Memory
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
    yield from (found(RULE, *told) for told in anchored(trace))


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
    """Places for a best model that hold what was trained on after they were given it."""
    memory = Memory(trace)
    told = {held.words: held for held in [*by_name(trace, memory), *beside_best(trace, memory), *alike(trace, memory)]}
    seen: set[frozenset[int]] = set()
    for held in told.values():
        if held.memory not in seen and not _written(trace, memory, held):
            seen.add(held.memory)
            module = _module(trace, held)
            yield found(
                RULE,
                held.site or _taken(trace, module, held.last.n) or _line(trace, module) or held.last.site,
                f"{held.words} is the {'average' if held.averaged else 'model in training'} itself",
                f"{held.words} stands for the memory of {trace.name(module) if module else 'the weights'}, which "
                + ("was written into after {} updates" if held.averaged else "{} updates changed").format(held.steps)
                + f" {held.since}",
                WHY, MEND, level="warning",
            )  # fmt: skip


def _module(trace: Trace, held: Held) -> int:
    return next((number for number in trace.modules if held.memory <= storages(trace, number)), 0)


def _written(trace: Trace, memory: Memory, held: Held) -> bool:
    """Whether what stands there was written to a file before any update came."""
    owners = {number for number in trace.modules if storages(trace, number) & held.memory}
    first, last = memory.still(held.memory, held.first)
    saves = (event for event in trace.of(Saved) if event.how == "save" and owners & set(event.modules))
    return any(first < event.n < last for event in saves)


def _line(trace: Trace, module: int) -> Site | None:
    return next((event.site for event in trace.of(Forward) if event.module == module), None)
