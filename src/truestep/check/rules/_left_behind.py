"""Target networks that keep the random start of the network that is trained towards what they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from truestep.check.changes import OptimizerMade, Saved, StateLoaded, StateTaken, Step
from truestep.check.events import Forward
from truestep.check.rules._chains import reaches
from truestep.check.rules._facts import complete
from truestep.check.rules._sums import terms
from truestep.check.rules._words import plural
from truestep.check.site import Site
from truestep.check.trace import Trace, Update

MOST = 20
"""Optimizers of a run of parts; of more, as of inner loops, the copies are not looked at."""
OFTEN = 6
"""Updates that are looked at together with the target's part in them."""
LATE, DEEP = 26, 400
"""Updates after the last look at the target: between close looks there are no more."""

Copy = tuple[Site, int, int, int]
"""Where a copy was made and when, of which module, and the mark of its weights."""


def left_behind(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Copies of an untrained network that give it its targets to the end, and never follow it.

    All that the network is trained by is made of what the copy gave, and this is compared with what the network gave of
    other inputs: the next state, another view. Where both were given the same, the copy may be a start that is to be
    taken away, or a reference to be kept near to.
    """
    few = complete(trace) and len(trace.optimizers()) <= MOST
    copies = dict.fromkeys(_copies(trace)) if few else {}
    calls = [event for event in trace.of(Forward) if event.depth == 0 and event.close and event.outputs]
    for site, n, network, mark in copies:
        twins = [
            module for module in dict.fromkeys(call.module for call in calls if call.weights == mark and call.n > n)
            if module != network and _alike(trace, module, network)
        ]  # fmt: skip
        for module in twins:
            mine = [call for call in calls if call.module == module]
            moves = _moves(trace, network)
            if moves and n < moves[0].at.n and _still(trace, mine, mark, n) and _to_the_end(mine, moves):
                seen = sum(_bootstraps(trace, update, mine, calls, network) for update in moves)
                looked = sum(_looked(update) for update in moves)
                if seen >= OFTEN and seen == looked:
                    yield (
                        site,
                        f"the copy of {trace.name(network)} that gives its targets never follows it",
                        f"it still had the weights of before the training at all {len(mine)} calls looked at, the last "
                        f"after {plural(mine[-1].update, 'update')}; all of the loss was made of what it gave at each "
                        f"of {seen} updates looked at",
                    )
                    return


def _copies(trace: Trace) -> Iterator[Copy]:
    """Copies of modules, whole or of their state, where nobody had loaded anything into them; and their optimizers."""
    loads = [event for event in trace.of(StateLoaded) if event.of == "module"]
    ready = {event.owner for event in loads if not _taken(trace, event)}
    for event in trace.of(Saved):
        if event.how == "deepcopy" and len(event.modules) == len(event.weights) == 1:
            network = event.modules[0]
            later = any(each.n > event.n and network in each.modules for each in trace.of(Saved))
            if network not in ready and not later:
                yield event.site, event.n, network, event.weights[0]
    for event in loads:
        given = _taken(trace, event)
        if given is not None and given.owner not in ready:
            yield event.site, event.n, given.owner, event.weights
    for made in trace.of(OptimizerMade):  # a copy by hand has what the optimizer was given
        mine = [number for group in made.groups for number in group["params"]]
        for network, facts in trace.modules.items():
            if list(facts.parameters.values()) == mine and network not in ready and not made.added:
                yield made.site, made.n, network, made.weights


def _taken(trace: Trace, load: StateLoaded) -> StateTaken | None:
    """The state of another module that was loaded here, bit for bit."""
    taken = (event for event in trace.of(StateTaken) if event.of == "module" and event.n < load.n)
    return next((each for each in taken if each.owner != load.owner and each.weights == load.weights != 0), None)


def _alike(trace: Trace, module: int, network: int) -> bool:
    one, other = trace.modules.get(module), trace.modules.get(network)
    if one is None or other is None or one.kind != other.kind or not one.parameters:
        return False
    apart = not set(one.parameters.values()) & set(other.parameters.values())
    return apart and one.parameters.keys() == other.parameters.keys()


def _moves(trace: Trace, network: int) -> list[Update]:
    """The updates by optimizers that hold weights of a network."""
    own = set(trace.modules[network].parameters.values())
    holders = {optimizer for optimizer in trace.optimizers() if trace.held(optimizer) & own}
    return [each for each in trace.updates() if each.step is not None and each.step.optimizer in holders]


def _still(trace: Trace, calls: Sequence[Forward], mark: int, since: int) -> bool:
    """Whether a copy had the same weights whenever it was called, and was never given others."""
    owner = calls[0].module
    loads = any(event.owner == owner and event.n > since for event in trace.of(StateLoaded))
    numbers = set(trace.modules[owner].parameters.values())
    moved = any(one.number in numbers and one.change > 0 for step in trace.of(Step) for one in step.moved)
    return {call.weights for call in calls} == {mark} and not loads and not moved


def _to_the_end(calls: Sequence[Forward], moves: Sequence[Update]) -> bool:
    return sum(update.at.n > calls[-1].n for update in moves) <= LATE < len(moves)


def _looked(update: Update) -> bool:
    return bool(update.at.close and update.backwards and all(each.close for each in update.backwards))


def _bootstraps(
    trace: Trace, update: Update, copy: Sequence[Forward], calls: Sequence[Forward], network: int
) -> bool:  # fmt: skip
    """Whether all of the loss before an update is made of what the copy gave."""
    if not _looked(update):
        return False
    said = [call for call in copy if call.update == update.at.update]
    mine = [call for call in calls if call.module == network and call.update == update.at.update]
    numbers = reaches(trace, [out for call in said for out in call.outputs], said[0].n)[1] if said else set[int]()
    parts = [(seen, n) for each in update.backwards for root in each.roots for seen, n in terms(trace, root, each.n)]
    outputs = {out.number: call for call in mine for out in call.outputs if out.needs_grad}
    if not said or not all(seen.number in numbers for seen, _ in parts):
        return False
    met = [(call, other) for call in said for other in _met(trace, call, outputs)]
    return bool(met) and all(_rows(one) != _rows(other) for one, other in met)


def _met(trace: Trace, call: Forward, outputs: Mapping[int, Forward]) -> list[Forward]:
    """The calls of the network behind what the output of its copy meets first, of all that has a gradient."""
    waiting, found = [(out, call.n) for out in call.outputs], list[Forward]()
    known = {out.number for out in call.outputs}
    while waiting and len(known) < DEEP:
        seen, since = waiting.pop(0)
        for op in trace.users(seen, since):
            others = [each for each in op.inputs if each.needs_grad and each.number not in known]
            behind = trace.back(others, op.n, DEEP, lambda op, each: each.needs_grad)
            found += [outputs[each.number] for each, _ in behind if each.number in outputs]
            new = [each for each in op.out if each.number not in known] if not others else []
            known |= {each.number for each in new}
            waiting += [(each, op.n) for each in new]
    return found


def _rows(call: Forward) -> list[tuple[int, ...]]:
    return [seen.rows for seen in call.inputs]
