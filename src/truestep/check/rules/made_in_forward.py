"""Parameters are made inside forward, where no optimizer knows them.

What: a module with parameters, or an `nn.Parameter`, is built while the forward of another module runs: anew at every
call, or once at the first call, after the optimizer has taken its list of parameters.

Why: a layer that is made at every call is random at every call and forgets all; one that is made late keeps its random
start, because the optimizer was given its list before. Neither is in `parameters()` when that counts, nor in a
checkpoint.

Evidence: how many were built at that line while forward ran; their parameters received gradients, belong to no
optimizer, and (those that live on) kept every bit.

False alarms: modules without parameters, as activations and losses, may be made anywhere. A dry run that builds lazy
layers before the optimizer is made is right: then the optimizer holds them.

Mend: build layers in `__init__`; where a size is known from the input only, call the model once before the optimizer is
made, or use `nn.LazyLinear`.

Wrong:
    def forward(self, x):
        layer = nn.Linear(8, 2)
        return layer(x)

Right:
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 2)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from truestep.check.changes import OptimizerMade
from truestep.check.events import ModuleMade, Op
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._facts import held
from truestep.check.site import Site
from truestep.check.trace import Trace

RULE = Rule("TS205", "made_in_forward", "parameters are made inside forward", "error", "parameters")
AGAIN, OFTEN = 3, 4


def look(trace: Trace) -> Iterator[Finding]:
    """Ask of everything made inside forward who holds it and what becomes of it."""
    taken, passes = held(trace), _passes(trace)
    for where, (kind, makes, owned) in _made(trace, passes).items():
        free = [number for number in owned if passes[number] and number not in taken]
        if not free:
            continue
        if makes >= AGAIN:
            total = sum(passes[number] for number in free)
            told = (
                f"{makes} were made here, each with its own random start; their parameters received {total} gradients"
            )
        elif max(passes[n] for n in free) >= OFTEN and trace.of(OptimizerMade) and _still(trace, free):
            told = f"{trace.name(free[0])} received {passes[free[0]]} gradients, is in no optimizer, and kept every bit"
        else:
            continue
        yield found(
            RULE,
            where,
            f"a {kind} is made while forward runs, and no optimizer knows its parameters",
            told,
            "what is made here is never trained and is in no checkpoint of what was trained",
            "build it in __init__; if the input decides its size, call the model once before the optimizer is made",
            facts={"parameters": owned},
        )


def _passes(trace: Trace) -> Counter[int]:
    """How many backward passes reached each leaf."""
    return Counter(leaf.number for event in trace.backwards() for leaf in event.leaves if leaf.after is not None)


def _still(trace: Trace, numbers: list[int]) -> bool:
    marks: dict[int, set[int]] = defaultdict(set)
    for event in trace.backwards():
        for leaf in event.leaves:
            if leaf.weight is not None:
                marks[leaf.number].add(leaf.weight.mark)
    return all(len(marks[number]) == 1 for number in numbers)


def _made(trace: Trace, passes: Counter[int]) -> dict[Site, tuple[str, int, list[int]]]:
    """What was made inside forward, by line: its kind, how often, and its parameters."""
    inside = {event.module: event for event in trace.of(ModuleMade) if event.inside}
    parameters: dict[int, set[int]] = defaultdict(set)
    loose: dict[tuple[str, int], list[tuple[Site, int]]] = defaultdict(list)
    fresh: dict[int, Op] = {}  # memory that was made inside forward
    for op in trace.of(Op) if inside or any(count == 1 for count in passes.values()) else ():
        if op.within and not any(each.needs_grad for each in op.out):
            given = {each.storage for each in op.inputs}
            fresh |= {each.storage: op for each in op.out if each.storage not in given}
        for each in op.inputs:
            if each.leaf and each.needs_grad and passes[each.number]:
                for module in op.within:
                    if module in inside:
                        parameters[module].add(each.number)
                made = fresh.get(each.storage)
                if made is not None and not inside.keys() & {*op.within, *made.within} and trace.maker(each) is None:
                    loose[made.site.place].append((made.site, each.number))
    found: dict[tuple[str, int], tuple[Site, str, int, list[int]]] = {}
    for module, numbers in parameters.items():
        event = inside[module]
        site, kind, count, known = found.get(event.site.place, (event.site, event.kind, 0, []))
        found[event.site.place] = (site, kind, count + 1, [*known, *sorted(numbers)])
    for place, hits in loose.items():
        numbers = sorted({number for _, number in hits})
        found.setdefault(place, (hits[0][0], "parameter", len(numbers), numbers))
    return {site: (kind, count, numbers) for site, kind, count, numbers in found.values()}
