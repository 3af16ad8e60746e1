"""Calls whose outputs are scored, and whether the rows that they were given were trained on."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import groupby

from truestep.check.events import Batch, Forward, LoaderStart
from truestep.check.rules._batches import Drawn, ends, readings, size, split
from truestep.check.rules._chains import SOUND, reaches, root
from truestep.check.trace import Trace

SHARE, FEW, ALIKE, CHANGED = 0.1, 5, 0.9, 0.05


def mixes(
    train: set[int], test: set[int], seen: list[tuple[int, tuple[int, ...]]],
    scored: Sequence[Sequence[Forward]],
) -> bool:  # fmt: skip
    """Whether every score is one of trained rows and held-out ones together, which were not left out by chance."""
    given = [row for _, rows in seen for row in rows if row in train]
    fresh, visits = len(test - train), len(given) / max(len(train), 1)
    chance = math.exp(-visits)  # of a row that is never drawn, where each batch is drawn from all of them
    apart = [each for each in scored if not any(row in train for call in each for row in call.inputs[0].rows)]
    most = len(test & train) >= 0.5 * len(test)
    return most and fresh >= max(FEW, SHARE * len(test), 20 * chance * len(test)) and not apart


def mixed(train: set[int], scored: Sequence[Sequence[Forward]]) -> bool:
    """Whether any one score is of trained rows and of others: one of trained rows alone is a score on these.

    A few of them may be in training only as they were changed.
    """
    shares = [[row in train for call in each for row in call.inputs[0].rows] for each in scored]
    return any(any(share) and share.count(False) > CHANGED * len(share) for share in shares)


def telling(call: Forward) -> bool:
    """Inputs whose rows are equal only where they are copies: several numbers, no whole ones, and no drawings."""
    if not call.inputs or not call.inputs[0].rows or not call.inputs[0].dtype.startswith(("float", "bfloat")):
        return False
    values = call.inputs[0].values
    return size(call.inputs[0]) >= 3 and values is not None and not values.whole and not values.two


def passes(trace: Trace, lines: Iterable[Sequence[Forward]]) -> list[list[Forward]]:
    """The calls of each line that belong to one score: of one pass of a loader, or by hand of one tensor."""
    starts = [event.n for event in trace.of(LoaderStart)]
    batches = trace.of(Batch)
    places = [batch.n for batch in batches]

    def score(call: Forward) -> tuple[int, int]:
        place = bisect_left(places, call.n)
        handed = place > 0 and batches[place - 1].update == call.update  # later than the last that was trained on
        return bisect_left(starts, call.n), 0 if handed else _source(trace, call)

    return [list(each) for calls in lines for _, each in groupby(calls, key=score)]


def _source(trace: Trace, call: Forward) -> int:
    """The tensor whose rows a call was given; that of which they were taken, where they were taken just now."""
    given = root(trace, call.inputs[0], call.n, SOUND)
    taken = trace.maker(given, call.n)
    if taken is not None and taken.inputs and taken.update == call.update:
        given = root(trace, taken.inputs[0], taken.n, SOUND)
    return given.number


def others_scored(trace: Trace, quiet: list[Drawn]) -> bool:
    """Whether a model was given rows that training was not given, and not by these passes."""
    trained, others = split(trace)
    given = {row for call in trained if call.inputs for row in call.inputs[0].rows}
    handed = {tensor.number for one in quiet for batch in one.what.batches for tensor in batch.tensors}
    for call in others:
        rows = call.inputs[0].rows if call.inputs else ()
        if rows and root(trace, call.inputs[0], call.n).number in handed:
            continue
        if rows and sum(row in given for row in rows) < 0.5 * len(rows):
            return True
    return False


def scored(trace: Trace, call: Forward) -> bool:
    read, joined = ends(trace, call.outputs[0], call.n)
    return read and not joined and not _acts(trace, call)


def read(trace: Trace, call: Forward) -> bool:
    """Whether what a model gives without gradients is read as numbers, as by scores outside of torch, and no more."""
    users, numbers = reaches(trace, call.outputs, call.n)
    joined = any(each.needs_grad for op in users for each in (*op.inputs, *op.out))
    return not call.grad and not joined and not numbers.isdisjoint(trace.once(readings)) and not _acts(trace, call)


def guessed(trace: Trace, call: Forward) -> bool:
    """Whether the classes of rows, many of them copies of one another, are read: of a part that was drawn again."""
    rows = call.inputs[0].rows
    if len(set(rows)) > ALIKE * len(rows):
        return False
    picks = [op for op in trace.users(call.outputs[0], call.n) if op.name in ("argmax", "max", "round", "gt", "ge")]
    read = trace.once(readings)
    return any(out.number in read and out.shape[:1] == (len(rows),) for op in picks for out in op.out)


def _acts(trace: Trace, call: Forward, most: int = 30) -> bool:
    """Whether an action is drawn from the output: what a policy is given comes again and again."""
    waiting, looked = [call.outputs[0]], 0
    while waiting and looked < most:
        looked += 1
        for op in trace.users(waiting.pop(0), call.n):
            if op.name == "multinomial":
                return True
            waiting += op.out
    return False
