"""Words or labels that two mappings number differently: one for training, and one for evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from truestep.check.events import Batch, LoaderStart, Op
from truestep.check.looks import Seen
from truestep.check.points import COMPARED
from truestep.check.rules._batches import split
from truestep.check.site import Site
from truestep.check.trace import Trace

SHARED, LEAST = 0.3, 2
"""Of the smaller mapping's words so many must be in both, and so many of these must have other numbers."""
DEEP = 60
Coded = tuple[Seen, int]
Differ = Callable[[dict[str, int], dict[str, int]], str]


def inputs_apart(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Inputs of training and of evaluation that two mappings with the same words number differently."""
    if _several(trace):
        given = [[(call.inputs[0], call.n) for call in calls if call.inputs] for calls in split(trace)]
        yield from _apart(trace, "inputs", given, _differ)


def targets_apart(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """The same for targets, also where a mapping numbers anew the few classes that a part holds."""
    if _several(trace):
        given = [[(each, op.n) for op, each in _targets(trace, grad)] for grad in (True, False)]
        yield from _apart(trace, "targets", given, lambda one, other: _differ(one, other) or _anew(one, other))


def _several(trace: Trace) -> bool:
    return len({op.args[0] for op in trace.ops("coded")}) > 1


def _apart(
    trace: Trace, what: str, given: Sequence[Sequence[Coded]], differ: Differ
) -> Iterator[tuple[Site, str, str]]:
    mine, theirs = (_behind(trace, each) for each in given)
    for place, op in theirs.items():
        other = next((known for at, known in mine.items() if at != place), None)
        if place in mine or other is None or len(mine) > 1:
            continue
        told = differ(other.words["codes"], op.words["codes"])
        if told:
            yield (
                _line(op.site, other),
                f"the {what} of evaluation are numbered by another mapping than those of training",
                told,
            )
            return


def _line(site: Site, other: Op | None) -> Site:
    """Where the other mapping came in: of a function that both parts went through the line that called it."""
    if other is None or site.place != other.site.place:
        return site
    ways = zip(site.callers, other.site.callers, strict=False)
    return next((Site(*one) for one, known in ways if one != known), site)


def _targets(trace: Trace, grad: bool) -> Iterator[tuple[Op, Seen]]:
    """The tensors of whole numbers that predictions are compared with: in training by losses, else by anything."""
    for op in trace.ops(*COMPARED):
        if op.grad is grad and len(op.inputs) > 1 and any(each.needs_grad for each in op.inputs[:2]) is grad:
            yield from ((op, each) for each in op.inputs[:2] if each.dtype.startswith("int"))


def _behind(trace: Trace, given: Sequence[Coded]) -> dict[int, Op]:
    """The mappings behind tensors, by their places, each with a call that used it."""
    found: dict[int, Op] = {}
    for seen, n in given:
        for op in _made(trace, seen, n):
            found.setdefault(op.args[0], op)
    return found


def _made(trace: Trace, seen: Seen, n: int) -> Sequence[Op]:
    known, batches = trace.once(_by_number), trace.once(_batches)
    for each, _ in trace.back([seen], n, DEEP):
        if each.number in known:
            return [known[each.number]]
        if each.number in batches:
            batch, held = batches[each.number]
            return _fetched(trace, batch) or _rows(trace, held)
    return ()


def _by_number(trace: Trace) -> dict[int, Op]:
    return {op.out[0].number: op for op in trace.ops("coded")}


def _batches(trace: Trace) -> dict[int, tuple[Batch, Seen]]:
    return {held.number: (batch, held) for batch in trace.of(Batch) for held in batch.tensors}


def _fetched(trace: Trace, batch: Batch) -> Sequence[Op]:
    """The calls that numbered the items of a batch while it was made, if all did so by one mapping."""
    start = next((event.n for event in trace.of(LoaderStart) if event.run == batch.run), batch.n)
    made = [op for op in trace.ops("coded") if start < op.n < batch.n]
    counts = Counter(op.args[0] for op in made)
    return made[:1] if len(counts) == 1 else ()


def _rows(trace: Trace, held: Seen) -> Sequence[Op]:
    """The calls whose rows a batch has; labels alone, which many share, are no rows."""
    rows = set(held.rows)
    return [op for op in trace.ops("coded") if len(held.shape) > 1 and rows and rows <= set(op.out[0].rows)][:1]


def _differ(one: dict[str, int], other: dict[str, int]) -> str:
    """In words, where most of what both mappings hold has another number; empty where it is not so."""
    shared = [word for word in one if word in other]
    if len(shared) < SHARED * min(len(one), len(other)):  # the words of one may all be in lower case
        one, other = ({word.lower(): code for word, code in each.items()} for each in (one, other))
        shared = [word for word in one if word in other]
    apart = [word for word in shared if one[word] != other[word]]
    if len(shared) < max(LEAST, SHARED * min(len(one), len(other))) or 2 * len(apart) < len(shared):
        return ""
    return _told(one, other)


def _anew(one: dict[str, int], other: dict[str, int]) -> str:
    """In words, where the labels of one mapping are all in the other, and each numbers those it has, in one order."""
    few, many = sorted((one, other), key=len)
    whole = all(sorted(each.values()) == list(range(len(each))) for each in (one, other))
    if len(few) < LEAST or not few.keys() < many.keys() or not whole:
        return ""
    if sorted(few, key=few.__getitem__) != sorted(few, key=many.__getitem__):
        return ""
    return _told(one, other) if any(few[word] != many[word] for word in few) else ""


def _told(one: dict[str, int], other: dict[str, int]) -> str:
    shared = [word for word in one if word in other]
    apart = [word for word in shared if one[word] != other[word]]
    few = ", ".join(f"{word} is {one[word]} and {other[word]}" for word in apart[:3])
    return (
        f"of {len(shared)} words or labels that both mappings hold {len(apart)} have other numbers: {few}; the "
        f"mappings have {len(one)} and {len(other)} of those looked at"
    )
