"""The training data are sorted by class, or by a real target, and come in that order.

What: batch after batch holds a single class, first all of the first class, then all of the next, in every epoch; or
the targets of each batch lie above all those of the batch before.

Why: each stretch teaches the model to answer with the class at hand and to forget the others; what it has learned at
the end of an epoch leans to the last class.

Evidence: the targets of the losses: most batches hold one value, the stretches of equal batches follow one another in
the same order, epoch after epoch; or, where an epoch is too long to be looked at twice, each class lies in one stretch
of places, of a loader that does not shuffle or of slices of one tensor, and places were visited again. For real
targets, and where a batch holds several classes, the least and the greatest of each batch, which only rise or only
fall, and begin again with the same batches.

False alarms: one batch of real and one of forged samples alternate in a GAN, with stretches of a single batch; that is
no finding. Time series in order have no classes.

Mend: `shuffle=True`, or a fresh permutation for inputs and labels alike at each epoch.

Wrong:
    loader = DataLoader(sorted_by_class, batch_size=32)

Right:
    loader = DataLoader(sorted_by_class, batch_size=32, shuffle=True)
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import groupby
from typing import NamedTuple

from truestep.check.changes import Backward
from truestep.check.events import Batch, LoaderMade, Op
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._chains import SOUND
from truestep.check.trace import LOSSES, Trace

RULE = Rule("TS471", "not_shuffled", "sorted data without shuffling", "error", "data")
FEW, SHARE, AGAIN = 8, 0.7, 3
ROWS = 4
MIXED = 4
"""Batches in an epoch, and classes beyond the first, that cannot come to rise by chance."""


class Look(NamedTuple):
    """A backward pass with the one class of its batch, None for several, and the loss that showed it."""

    label: float | None
    loss: Op


def look(trace: Trace) -> Iterator[Finding]:
    """Follow the targets from one backward pass to the next, or from place to place in an epoch."""
    looks = _looks(trace)
    if len(looks) >= FEW:
        told = _cycles(trace, _dense(looks)) or _places(trace, looks)
        if told is not None:
            yield told
            return
    yield from _rising(trace)


def _rising(trace: Trace) -> Iterator[Finding]:
    """Real targets that only rise, or only fall, from batch to batch of an epoch, and so again in the next one."""
    lines: dict[tuple[str, int], list[Op]] = {}
    for op in trace.ops(*LOSSES):
        if len(op.inputs) > 1 and op.inputs[0].needs_grad and not op.inputs[1].needs_grad:
            lines.setdefault(op.site.place, []).append(op)
    for ops in lines.values():
        ends = [(op.inputs[1].values.low, op.inputs[1].values.high) for op in ops if op.inputs[1].values is not None]
        rows = min((op.inputs[1].shape or (0,))[0] for op in ops)
        whole = all(op.inputs[1].values and op.inputs[1].values.whole for op in ops)
        if len(ends) < len(ops) or rows < ROWS:
            continue
        for word, held in (("rise", ends), ("fall", [(-high, -low) for low, high in ends])):
            starts = [0, *(at for at in range(1, len(held)) if held[at][0] < held[at - 1][1])]
            epoch = starts[1] if len(starts) > 1 else 0
            again = held[epoch : epoch + FEW] == held[:FEW]
            if _neighbours(held, epoch, rows) if whole else epoch >= FEW and again:
                low, high = (min(each[0] for each in ends), max(each[1] for each in ends))
                yield found(
                    RULE, ops[0].site, f"the targets of an epoch {word} from batch to batch",
                    f"from {low:.4g} to {high:.4g} over {epoch} batches, no two of which overlap, and so again in "
                    "the next epoch",
                    "each stretch teaches one kind of answer, and the model forgets the others",
                    "shuffle: shuffle=True in the loader, or one fresh permutation of inputs and targets at each epoch",
                    level="warning",
                )  # fmt: skip
                return


def _neighbours(held: list[tuple[float, float]], epoch: int, rows: int) -> bool:
    """Whether each batch of two epochs holds a few classes that go on where those of the batch before ended."""
    mixed = sum(low < high for low, high in held[:epoch])
    wide = epoch > 0 and held[epoch - 1][1] - held[0][0] > MIXED
    return (
        wide and epoch >= MIXED and rows >= 2 * ROWS and 2 * mixed >= epoch and held[epoch : 2 * epoch] == held[:epoch]
    )


def _looks(trace: Trace) -> list[Look]:
    found: list[Look] = []
    low, high, whole, last = float("inf"), float("-inf"), True, None
    for event in trace.of(Op, Backward):
        if isinstance(event, Op) and event.name in LOSSES and len(event.inputs) > 1 and event.inputs[0].needs_grad:
            values = event.inputs[1].values
            if values is None or event.inputs[1].shape[:1] == (1,):
                whole = False
            else:
                low, high, whole = min(low, values.low), max(high, values.high), whole and values.whole
            last = event
        elif isinstance(event, Backward) and not event.nested and last is not None and _of(event, last):
            if whole:
                found.append(Look(low if low == high else None, last))
            low, high, whole, last = float("inf"), float("-inf"), True, None
    return found


def _of(event: Backward, loss: Op) -> bool:
    """Whether a pass trains by this loss: any that fills gradients, or one that was asked for those of the loss."""
    return event.how == "backward" or {root.number for root in event.roots} == {out.number for out in loss.out}


def _dense(looks: list[Look]) -> list[Look]:
    """Those of the start, before the first that was left out."""
    gaps = (at for at in range(1, len(looks)) if looks[at].loss.update > looks[at - 1].loss.update + 1)
    return looks[: next(gaps, len(looks))]


def _pure(looks: list[Look]) -> list[Look]:
    """Those of a single class, if they are most."""
    pure = [each for each in looks if each.label is not None]
    return pure if len(pure) >= max(FEW, SHARE * len(looks)) else []


def _stretches(looks: list[Look]) -> list[tuple[float, int]]:
    runs = groupby(each.label for each in looks)
    return [(label, sum(1 for _ in run)) for label, run in runs if label is not None]


def _cycles(trace: Trace, looks: list[Look]) -> Finding | None:
    """The classes one after another, and the same again."""
    pure = _pure(looks)
    stretches = _stretches(pure)
    order = [label for label, _ in stretches]
    classes = len(set(order))
    cycles = all(order[at] == order[at % classes] for at in range(len(order))) and len(set(order[:classes])) == classes
    if len(order) < classes + min(classes, AGAIN) or not cycles or not _long(stretches, classes):
        return None
    times = len(order) // classes
    return _told(
        trace, looks, pure, stretches, f"{times} times over" if times > 1 else "and so again from the first on"
    )


def _long(stretches: list[tuple[float, int]], classes: int) -> bool:
    batches = sum(number for _, number in stretches)
    return classes >= 2 and batches / len(stretches) >= (3 if classes == 2 else 2)


def _places(trace: Trace, looks: list[Look]) -> Finding | None:
    """Each class in one stretch of the places of an epoch, which come again in the same order."""
    spread: dict[Hashable, dict[int, list[Look]]] = {}
    batches = trace.of(Batch)
    fixed = {made.loader for made in trace.of(LoaderMade) if made.sampler == "SequentialSampler"}
    drawn = {tensor.number: batch for batch in batches if batch.loader in fixed for tensor in batch.tensors}
    for each in looks:
        where = _place(trace, each.loss, drawn)
        if where is not None:
            spread.setdefault(where[0], {}).setdefault(where[1], []).append(each)
    for source, held in spread.items():
        places = [held[place][0] for place in sorted(held)]
        pure = _pure(places)
        stretches = _stretches(pure)
        classes = len({label for label, _ in stretches})
        again = len({b.run for b in batches if ("loader", b.loader) == source and b.place == 0})
        again = max(again, *(len({each.loss.update for each in visits}) for visits in held.values()))
        steady = all(len({each.label for each in visits}) == 1 for visits in held.values())
        if steady and again >= 2 and len(stretches) == classes and _long(stretches, classes):
            return _told(trace, places, pure, stretches, f"and the epoch came {again} times")
    return None


def _place(trace: Trace, loss: Op, drawn: dict[int, Batch]) -> tuple[Hashable, int] | None:
    """Where the targets of a loss stand in their epoch: of which loader or tensor, and the place in it."""
    seen, before = loss.inputs[1], loss.n
    for _ in range(12):
        if seen.number in drawn:
            batch = drawn[seen.number]
            return ("loader", batch.loader), batch.place
        op = trace.maker(seen, before)
        if op is None or not op.inputs:
            return None
        if op.name in ("split", "chunk", "tensor_split"):
            return ("tensor", op.inputs[0].number), [out.number for out in op.out].index(seen.number)
        if op.name == "__getitem__" and isinstance(op.arg(1, ""), slice):
            first = op.args[1].start or 0
            return (("tensor", op.inputs[0].number), first) if isinstance(first, int) and first >= 0 else None
        if op.name not in SOUND:
            return None
        seen, before = op.inputs[0], op.n
    return None


def _told(trace: Trace, looks: list[Look], pure: list[Look], stretches: list[tuple[float, int]], again: str) -> Finding:
    event = pure[0].loss
    classes = len({label for label, _ in stretches})
    batches = [batch for batch in trace.of(Batch) if batch.n < event.n]
    made = {loader.loader: loader for loader in trace.of(LoaderMade)}
    loader = made.get(batches[-1].loader) if batches and batches[-1].update == event.update else None
    told = ", ".join(f"{label:g} ({number} batches)" for label, number in stretches[: min(classes, 4)])
    return found(
        RULE,
        loader.site if loader else event.site,
        f"{classes} classes come one after another, not mixed",
        f"{len(pure)} of {len(looks)} batches hold one class only, in the order {told}, {again}",
        "each stretch teaches one answer, and the model forgets the others",
        "shuffle: shuffle=True in the loader, or one fresh permutation of inputs and labels at each epoch",
    )
