"""Calls whose outputs are scored, and whether the rows that they were given were trained on."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from truestep.check.events import Batch, Forward, LoaderStart
from truestep.check.rules._batches import Drawn, began, ends, readings, several, size, split
from truestep.check.rules._chains import SOUND, reaches, root
from truestep.check.rules._held import parted
from truestep.check.site import Site
from truestep.check.trace import Trace

SHARE, FEW, ALIKE, CHANGED = 0.1, 5, 0.9, 0.05
ALIKE_BY_NATURE = 0.02
"""More equal rows with other targets, for a row of training: columns of few values, where equal rows are no copies."""


class Overlap(NamedTuple):
    """How many of the rows that one line scored were trained on, of their shape; `whole`: nearly all that were."""

    site: Site
    both: int
    scored: int
    shape: tuple[int, ...]
    trained: int
    whole: bool


def learned_and_scored(trace: Trace) -> Iterator[Overlap]:
    """Rows of numbers, equal to the last bit, that a model trained on and was scored on."""
    trained, others = split(trace)
    seen, met = dict[int, list[tuple[int, tuple[int, ...]]]](), several(trace)
    for call in trained:
        if telling(call):
            seen.setdefault(call.module, []).append((call.n, call.inputs[0].rows))
    judged: dict[tuple[int, tuple[str, int]], list[Forward]] = {}
    taken = {_taken(trace, call) for call in trained} - {None}
    beside = {call.site.place for call in others if _taken(trace, call) in taken}  # as next states beside states are
    for call in others:
        if not (call.module in seen and telling(call) and call.outputs) or call.site.place in beside:
            continue
        if scored(trace, call) or guessed(trace, call):
            judged.setdefault((call.module, call.site.place), []).append(call)
    for (module, _), calls in judged.items():
        one = _overlap(trace, calls, judged.values(), seen[module], met)
        if one is not None:
            yield one
            return


def _taken(trace: Trace, call: Forward) -> tuple[int, Site] | None:
    """By which statement, after how many updates, an input was taken: what one statement takes at once is one batch."""
    given = root(trace, call.inputs[0], call.n, SOUND) if call.inputs else None
    made = None if given is None else trace.maker(given, call.n)
    return None if made is None or made.update != call.update or not made.site.file else (made.update, made.site)


def _overlap(
    trace: Trace, calls: Sequence[Forward], lines: Iterable[Sequence[Forward]],
    seen: list[tuple[int, tuple[int, ...]]], met: set[int],
) -> Overlap | None:  # fmt: skip
    last = calls[-1]
    since = began(trace, last.n)
    train: dict[int, int] = {}  # when each row was trained on first
    for n, rows in seen:
        train |= {row: n for row in rows if since < n < last.n and row not in train and row not in met}
    test = [(row, call.n) for call in calls if call.n > since for row in call.inputs[0].rows]
    both, distinct = [row for row, n in test if train.get(row, n) < n], {row for row, _ in test}
    copies = len(met) <= ALIKE_BY_NATURE * len(train)
    if not copies or not FEW <= len(set(both)) < len(distinct) or len(both) < SHARE * len(test):
        return None
    whole = len(train.keys() - distinct) <= 0.2 * len(train)
    if whole:
        told = scored(trace, last) and mixes(set(train), distinct, seen, passes(trace, lines))
    else:
        told = mixed(set(train), passes(trace, [calls]))
    if not told or parted(trace, last, set(train)):
        return None
    return Overlap(last.site, len(both), len(test), tuple(last.inputs[0].shape[1:]), len(train), whole)


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
