"""Precision, recall, F1 and their kin, and errors of arrays, that are made of each batch and averaged over batches.

They are quotients of counts: the mean of the batches' quotients is not that of all, and a batch without positives
counts as 0, or as 1, or not at all.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import NamedTuple

import torch

from truestep.check.events import LoaderEnd, LoaderStart, Names, Number, Printed
from truestep.check.rules._printed import DECIMAL
from truestep.check.rules._readings import floats, near, shown
from truestep.check.rules._scored import Pair, classes, pairs, scores
from truestep.check.rules._sliced import models, rows, stretches
from truestep.check.site import Site
from truestep.check.trace import Trace

MOST, FEW, APART, CLOSE, BATCHES = 6, 8, 0.01, 3e-8, 3
DIGITS, SURE, OPEN = 3, 9, 12
"""The digits of a printed number that say something, and how many are sure, of hits and their two counts or else."""
Counts = Sequence[Sequence[float]]


class Cut(NamedTuple):
    """An evaluation by batches: where each begins, how many samples it has, and where the last and the telling end."""

    starts: Sequence[int]
    rows: Sequence[float]
    end: int
    until: int


class Score(NamedTuple):
    """A score: its name, the mean over the batches, that of all together, and where what it is made of is read.

    `sure` are the digits that must be printed where no name holds it.
    """

    name: str
    plain: float
    whole: float
    site: Site
    sure: int


def by_batch(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """The lines that read what such a score is made of, where the mean over the batches is told and not the score."""
    told: set[tuple[str, int]] = set()
    for one in _cut(trace):
        texts, held = _after(trace, one)
        groups: dict[tuple[tuple[str, int], str], list[Score]] = {}
        for name, score in _scores(trace, one):
            if abs(score.plain - score.whole) > APART * abs(score.whole) and score.whole > 0:
                groups.setdefault((score.site.place, name), []).append(score)
        for (place, _), scored in groups.items():
            met = [each for each in scored if _told(each, texts, held)]
            digits = sum({text: len(text.replace(".", "").lstrip("0")) for text in _matches(met, texts)}.values())
            known = [
                each for each in met if any(near(value, s * each.plain, CLOSE) for value in held for s in (1, 100))
            ]
            if place not in told and (known or (met and digits >= max(each.sure for each in met))):
                told.add(place)
                first = (known or met)[0]
                yield (
                    first.site,
                    f"the {first.name} of {len(one.rows)} batches is averaged as if they were "
                    f"{'of one size' if first.name.endswith('error') else 'one sample each'}",
                    f"{first.plain:.6g} is told, the mean of what each batch gives; over all batches together it is "
                    f"{first.whole:.6g}; what it is made of is read on line {first.site.line}",
                )


def _cut(trace: Trace) -> Iterator[Cut]:
    """Evaluations by batches of one size whose last one is smaller: no batch is a thing of its own, as a query is."""
    begins, last = [event.n for event in trace.of(LoaderStart)], trace.events[-1].n + 1 if trace.events else 0
    ends = {event.run: event.n for event in trace.of(LoaderEnd)}
    for one in trace.passes():
        sizes = [batch.tensors[0].shape[0] for batch in one.batches if batch.tensors and batch.tensors[0].shape]
        whole = one.whole and len(sizes) == len(one.batches) >= BATCHES
        if whole and sizes[-1] < sizes[0] and len(set(sizes[:-1])) == 1 and len({e.update for e in one.batches}) == 1:
            starts = [batch.n for batch in one.batches]
            yield Cut(starts, [float(size) for size in sizes], ends[one.start.run], _next(begins, starts[-1], last))
    calls = [call.began for call in models(trace)]
    for held in stretches(trace):
        if len(held) >= BATCHES:
            until = _next(calls, held[-1].n, last)
            yield Cut([call.began for call in held], [float(rows(call)) for call in held], until, until)


def _next(places: Sequence[int], after: int, last: int) -> int:
    at = bisect_right(places, after)
    return places[at] if at < len(places) else last


def _after(trace: Trace, one: Cut) -> tuple[tuple[str, ...], list[float]]:
    """What is printed, and what names stand for, until the next pass begins."""
    told = trace.between(one.starts[-1], one.until, Printed)[:FEW]
    held = {value for each in trace.between(one.starts[-1], one.until, Names) for _, value in floats(each)}
    return tuple(text for each in told for text in DECIMAL.findall(each.text)), [
        e for e in held if isinstance(e, float)
    ]


def _told(score: Score, texts: tuple[str, ...], held: Sequence[float]) -> bool:
    """Whether the mean over batches is told, or held, and the score of all together is not."""
    scales = (1, 100)
    if any(near(value, s * score.whole, CLOSE) for value in held for s in scales):
        return False
    if any(shown(s * score.whole, texts, DIGITS) for s in scales):
        return False
    return any(shown(s * score.plain, texts, DIGITS) for s in scales) or any(
        near(value, s * score.plain, CLOSE) for value in held for s in scales
    )


def _matches(met: Sequence[Score], texts: tuple[str, ...]) -> Iterator[str]:
    for each in met:
        yield from (text for text in texts if any(shown(s * each.plain, (text,), DIGITS) for s in (1, 100)))


def _scores(trace: Trace, one: Cut) -> Iterator[tuple[str, Score]]:
    """The scores that may be made of what is read of each batch, each with how batches without positives count."""
    yield from _of_pairs(
        [each for each in pairs(trace) if one.starts[0] < each.n < one.until and not each.several], one
    )
    read = _read(trace, one)
    if read:
        columns = [[each[at].value or 0.0 for each in read] for at in range(len(read[0]))]
        counts = [each for each in columns if each != one.rows and all(e >= 0 and e.is_integer() for e in each)]
        yield from _of_counts(counts, read[0][0].site)


def _of_counts(columns: Counts, site: Site) -> Iterator[tuple[str, Score]]:
    for name, sure, parts in _quotients(columns):
        up, down = sum(high for high, _ in parts), sum(low for _, low in parts)
        for words, empty in (("as 0", 0.0), ("as 1", 1.0), ("not", None)):
            values = [high / low if low else empty for high, low in parts]
            known = [each for each in values if each is not None]
            simple = all(each in (0.0, 1.0) for each in known)  # whose mean is a share that other counts have too
            if known and down and not simple and len({low for _, low in parts}) > 1:
                yield words, Score(name, sum(known) / len(known), up / down, site, sure)


def _quotients(columns: Counts) -> Iterator[tuple[str, int, list[tuple[float, float]]]]:
    """The quotients of counts that are usual scores, by batch as what is above and below."""
    for hits, first in permutations(columns, 2):
        if all(one <= other for one, other in zip(hits, first, strict=True)):
            yield "precision or recall", SURE, list(zip(hits, first, strict=True))
        yield "precision or recall", OPEN, [(one, one + other) for one, other in zip(hits, first, strict=True)]
    for hits, first, second in permutations(columns, 3):
        rows = list(zip(hits, first, second, strict=True))
        if all(one <= min(a, b) for one, a, b in rows):
            yield "F1", SURE, [(2 * one, a + b) for one, a, b in rows]
            yield "overlap", SURE, [(one, a + b - one) for one, a, b in rows]
        yield "F1", OPEN, [(2 * one, 2 * one + a + b) for one, a, b in rows]
        yield "overlap", OPEN, [(one, one + a + b) for one, a, b in rows]


def _read(trace: Trace, one: Cut) -> list[list[Number]]:
    """The numbers that are read of each batch, as many of each and on the same lines; others follow the last one."""
    found: list[list[Number]] = [[] for _ in one.starts]
    for number in trace.between(one.starts[0], one.end, Number):
        if number.value is not None and number.how != "__bool__":
            found[bisect_left(one.starts, number.n) - 1].append(number)
    found[-1] = found[-1][: len(found[0])]
    alike = {tuple(each.site.place for each in numbers) for numbers in found}
    return found if len(alike) == 1 and 1 < len(found[0]) <= MOST else []


def _of_pairs(held: Sequence[Pair], one: Cut) -> Iterator[tuple[str, Score]]:
    """The scores of arrays that were read of each batch, by class."""
    if len(held) != len(one.starts) or len({each.guess.shape[1:] for each in held}) > 1:
        return
    joined = held[-1]._replace(
        guess=torch.cat([each.guess for each in held]), label=torch.cat([each.label for each in held])
    )
    known = [_by_class(each) for each in held]
    guesses = [(classes(each), each.label) for each in held]
    if set(joined.label.unique().tolist()) == {0.0, 1.0} and all(g is not None and g.dim() == 1 for g, _ in guesses):
        both = [(guess == 1, label == 1) for guess, label in guesses]
        counts = [[float(each.sum()) for each in (one & two, one, two)] for one, two in both]
        yield from _of_counts(list(zip(*counts, strict=True)), held[0].site)
    for name, whole in _by_class(joined).items():
        values = [each[name] for each in known if name in each]
        if values:
            yield "arrays", Score(name, sum(values) / len(values), whole, held[0].site, SURE)


def _by_class(pair: Pair) -> dict[str, float]:
    found = {name: value for name, rises, value in scores(pair) if name != "accuracy"}
    labels, guess = pair.label, pair.guess
    if guess.shape == labels.shape and set(labels.unique().tolist()) == {0.0, 1.0} and guess.dim() == 1:
        ones, others = guess[labels == 1], guess[labels == 0]
        above = (ones[:, None] > others).double() + 0.5 * (ones[:, None] == others)
        found["area under the curve"] = float(above.mean())
    return found
