"""Calls of a model at the end of an epoch whose losses were put in no window: computed, and never differentiated."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from truestep.check.changes import Backward
from truestep.check.events import Forward, Number, Op
from truestep.check.rules._chains import reaches
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN, WHOLE = 2, 3
MOST = 400


@dataclass(slots=True)
class Group:
    """The calls of a model by one line, with its callers, up to the next pass that reaches the model's weights."""

    calls: list[Forward] = field(default_factory=list)
    end: Backward | None = None


def tails(trace: Trace) -> Iterator[tuple[Site, int, int, int, int]]:
    """Lines that call a model k times for each pass, and m times more where an epoch ended: where, k, how many such
    windows, m, how many tails. Each tail led to a loss that no pass reached.
    """
    told: set[int] = set()  # the passes behind the tails: a cell and its head are called for the same ones
    for groups in _groups(trace):
        sizes = Counter(len(each.calls) for each in groups if each.end is not None)
        if len(sizes) != 2:
            continue
        (k, often), (longer, _) = sizes.most_common(2)
        m = longer - k
        late = [each for each in groups if len(each.calls) == longer and each.end is not None]
        ends = {each.end.n for each in late if each.end is not None}
        if k < 2 or not 0 < m < k or often < WHOLE or groups[0] in late or ends <= told:
            continue
        left = [_left(trace, each.calls[:m], each) for each in late if all(call.close for call in each.calls)]
        if len(left) >= OFTEN and all(left):
            told |= ends
            yield late[0].calls[0].site, k, often, m, len(late)


def _groups(trace: Trace) -> Iterator[list[Group]]:
    """The training calls of each model by a line with the same callers, cut by the passes that reach its weights."""
    lines: dict[tuple[int, Site], list[Group]] = defaultdict(lambda: [Group()])
    weights = {number: set(facts.parameters.values()) for number, facts in trace.modules.items()}
    places: dict[tuple[str, int], set[int]] = defaultdict(set)  # the modules that the passes of a line reach
    for event in trace.of(Forward, Backward):
        if isinstance(event, Forward):
            if event.depth == 0 and event.grad and event.training and weights.get(event.module):
                lines[event.module, event.site][-1].calls.append(event)
        elif event.how == "backward" and not event.nested:
            leaves = {leaf.number for leaf in event.leaves}
            places[event.site.place] |= {number for number, _ in lines if leaves & weights[number]}
            for (number, _), groups in lines.items():
                if number in places[event.site.place] and groups[-1].calls:
                    groups[-1].end = event
                    groups.append(Group())
    yield from lines.values()


def _left(trace: Trace, calls: list[Forward], group: Group) -> bool:
    """Whether these calls led to single numbers with a graph, as the others of the window did, and to no pass."""
    roots = {root.number for event in trace.of(Backward) for root in event.roots}
    outputs = [out for call in calls for out in call.outputs]
    ops, numbers = reaches(trace, outputs, calls[0].n, MOST)
    if len(ops) >= MOST or numbers & roots:
        return False
    rest = [out for call in group.calls[len(calls) :] for out in call.outputs]
    others, known = reaches(trace, rest, calls[-1].n, MOST)
    lines = _losses(ops)
    same = bool(lines) and lines <= _losses(others) and bool(known & roots)
    return same and _reads(trace, numbers) <= _reads(trace, known)


def _losses(ops: list[Op]) -> set[tuple[str, int]]:
    """The lines that made single numbers with a graph."""
    return {op.site.place for op in ops for out in op.out if out.needs_grad and not out.shape}


def _reads(trace: Trace, numbers: set[int]) -> set[tuple[str, int]]:
    return {number.site.place for number in trace.of(Number) if number.of.number in numbers}
