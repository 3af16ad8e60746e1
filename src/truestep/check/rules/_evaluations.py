"""Forward passes that numbers were made of and no update: what rules of modes ask alike."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from truestep.check.changes import Backward
from truestep.check.events import Forward, Number, Op
from truestep.check.rules._chains import reaches
from truestep.check.rules._facts import moments
from truestep.check.rules._noise import Fed
from truestep.check.trace import LOSSES, ModuleFacts, Trace

COMPARES = LOSSES | {"eq", "ne", "sub", "dist", "cdist", "cosine_similarity"}
READ = {"item", "tolist", "__float__", "__bool__", "numpy", "__format__", "__array__"}
FEW, MANY = 3, 10


class Call(NamedTuple):
    """A forward by the user's code in train mode, with a layer inside that the mode matters to."""

    event: Forward
    layer: str


def evaluated(trace: Trace, calls: Iterable[Call]) -> Iterator[list[Call]]:
    """Of calls of a trained model those that only numbers were made of, by line.

    Left out are passes on the batch just trained on (unless other rows of it are scored than those trained on), lines
    that mostly run the same inputs several times, a pass or two of a line that trains, whose loss led to no update (a
    search for a rate that ends, say), and what a model that learned from nothing but noise gives where that
    is compared with nothing. A copy of a trained model, and one whose results go on into trained weights, count where
    they are scored.
    """
    read = {number.of.number for number in trace.of(Number) if number.how in READ}
    roots = {root.number for event in trace.of(Backward) for root in event.roots}
    trained, when, unseen = trace.trained, moments(trace), _unseen(trace)
    lines: dict[tuple[str, int], list[Call]] = defaultdict(list)
    learned: dict[int, tuple[int, ...]] = {}
    kinds = {_kind(each) for each in trace.modules.values() if trained & set(each.parameters.values())}
    fed: dict[int, Fed] = defaultdict(Fed)
    chosen: dict[int, list[set[tuple[int, int]]]] = defaultdict(list)
    seen: dict[tuple[object, ...], int] = defaultdict(int)
    steps: dict[tuple[str, int], int] = defaultdict(int)  # passes that a line trained with
    for call in calls:
        event = call.event
        facts = trace.modules.get(event.module)
        rows = event.inputs[0].rows if event.inputs else ()
        own = facts is not None and bool(trained & set(facts.parameters.values()))
        ops, numbers = reaches(trace, event.outputs, event.n)
        if facts is None or not (own or _alike(trace, facts, kinds) or _feeds(ops, trained)):
            continue
        if (event.grad and numbers & roots) or any(out.needs_grad for op in ops for out in op.out if not event.grad):
            learned[event.module] = rows
            steps[event.site.place] += 1
            fed[event.module].add(trace, event, _feeds(ops, trained - set(facts.parameters.values())))
            chosen[event.module].append(_places(ops))
        elif (
            when(event.n)
            and not (event.grad and unseen(event.n))
            and numbers & read
            and (own or scored(trace, event))
            and (not rows or learned.get(event.module) != rows or _others(_places(ops), chosen[event.module], event))
        ):
            seen[event.module, when(event.n), _given(event)] += 1
            lines[event.site.place].append(call)
    for group in lines.values():
        repeated = sum(seen[c.event.module, when(c.event.n), _given(c.event)] > 1 for c in group if c.event.inputs)
        event = group[0].event
        blank = fed[event.module].noise and not any(scored(trace, c.event, rows=True) for c in group)
        if 2 * repeated <= len(group) and not blank and not _left(group, steps[event.site.place]):
            yield group


def _left(group: list[Call], steps: int) -> bool:
    """Whether a pass or two are left of a line that trained with so many others."""
    return len(group) < FEW and steps >= MANY and all(call.event.grad for call in group)


def _unseen(trace: Trace) -> Callable[[int], bool]:
    """Whether the next backward pass after event `n` was not looked at closely: nobody knows what it comes from."""
    passes = trace.of(Backward)
    places = [event.n for event in passes]

    def unseen(n: int) -> bool:
        after = bisect_right(places, n)
        return after < len(passes) and not passes[after].close

    return unseen


def _feeds(ops: Iterable[Op], trained: set[int]) -> bool:
    """Whether what a model gives goes on into trained weights, as the features of a frozen part do."""
    return any(each.number in trained for op in ops for each in op.inputs)


def _kind(facts: ModuleFacts) -> tuple[str, frozenset[str]]:
    return facts.kind, frozenset(facts.parameters)


def _alike(trace: Trace, facts: ModuleFacts, kinds: set[tuple[str, frozenset[str]]]) -> bool:
    """Whether this is a copy of a model that is trained, as an average of its weights is, or holds nothing but one."""
    inner = [trace.modules[number] for number in facts.children.values() if number in trace.modules]
    whole = [each for each in inner if len(each.parameters) == len(facts.parameters)]
    return bool(facts.parameters) and any(_kind(each) in kinds for each in (facts, *whole))


def _places(ops: Iterable[Op]) -> set[tuple[int, int]]:
    """The rows that were picked by index or mask from what a model gave."""
    found = [op.words.get("places") for op in ops]
    return {(each.size, each.mark) for each in found if each is not None}


def _others(picked: set[tuple[int, int]], chosen: list[set[tuple[int, int]]], event: Forward) -> bool:
    """Whether a pass without gradients is scored on rows that the passes of the training never picked.

    Such are the nodes of a graph, which go through the model all at once. The training picked the same rows each time.
    """
    once = chosen[-1] if chosen else set()
    return (
        not event.grad
        and len(chosen) > 1
        and len(once) == 1
        and not picked <= once
        and all(each == once for each in chosen)
    )


def _given(event: Forward) -> tuple[tuple[int, ...], ...]:
    """All that a model was given: states that go from call to call are not the same twice."""
    return tuple(each.rows for each in event.inputs)


def scored(trace: Trace, event: Forward, rows: bool = False) -> bool:
    """Whether what a model gave was compared with anything else; with `rows` one by one, as no mean over them is."""
    ops, numbers = reaches(trace, event.outputs, event.n)
    size = event.outputs[0].shape[:1] if rows and event.outputs else ()
    return any(
        op.name in COMPARES
        and any(each.number not in numbers and each.shape and each.shape[: len(size)] == size for each in op.inputs)
        for op in ops
    )
