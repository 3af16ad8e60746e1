"""A mean over samples is reported as the mean of the batches' means, and the batches differ in size.

What: the numbers of the batches, each a mean over its samples or tokens, are averaged with equal weight. Or a
precision, a recall, an F1 or their kin, which are quotients of counts, is made of each batch and averaged.

Why: a last batch of two samples weighs as much as one of 64, and a batch of short sentences as much as one of long
ones. The figure depends on how the data were cut, and two runs with other batch sizes cannot be compared.

Evidence: the reported float equals the plain mean of the batches' numbers to the last digits, while the mean weighted
by what each of them counted is another number. For roots of means, as of an RMSE, the root over all is
the right one. Where only prints show it, each of them shows the plain mean, or a perplexity or a root made of it.

False alarms: batches of equal size are no finding, nor are means over classes or folds, or scores of batches that are
things of their own, as all candidates of a query are: only where the last batch is cut short, in evaluation. A
difference below 1 % is advice, below 3 % in most figures where the model is trained between the batches; one below
0.1 % is nothing.

Mend: add up sums, and divide once: `total += loss.item() * len(y)`, `count += len(y)`, `total / count`.

Wrong:
    total = 0.0
    for x, y in loader:
        total += loss_fn(model(x), y).item()
    print(total / len(loader))

Right:
    total = count = 0
    for x, y in loader:
        total += loss_fn(model(x), y).item() * len(y)
        count += len(y)
    print(total / count)
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from statistics import median
from typing import Literal

from truestep.check.events import Printed
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._by_batch import by_batch
from truestep.check.rules._quotients import dividing
from truestep.check.rules._readings import SHORT, Figure, Reading, cuts, figures, near, readings, shown
from truestep.check.rules._totals import totals
from truestep.check.trace import Trace

RULE = Rule("TS670", "mean_of_means", "a mean of the batches' means", "warning", "reporting")
CUT = "what is reported depends on how the data were cut into batches"
TOLD, SMALL, COURSE = 0.01, 0.001, 0.03
HUGE, SEVERAL = 100.0, 4
"""The logarithm of what is too large for a perplexity; evaluations of which three digits each say enough."""


def _root(mean: float) -> float:
    return math.sqrt(max(mean, 0.0))


def _perplexity(mean: float) -> float:
    return math.exp(min(mean, HUGE))


BACK: dict[str, Callable[[float], float]] = {"root": lambda value: value * value, "perplexity": math.log}
"""The batches' means, made of what is read."""
KINDS = ("mean", *BACK)
SHAPES = (float, _perplexity, _root)
"""What a mean of losses is reported as."""
Told = tuple[float, Figure, float, float, list[int]]
"""By which share a figure is wrong, the figure, both means, and the sizes of the batches."""
Part = tuple[tuple[str, int], bool]
"""The line that reads the batches, and whether the model stayed as it was meanwhile."""


def look(trace: Trace) -> Iterator[Finding]:
    """Average the readings of each line both ways, and compare with what the names hold."""
    whole = cuts(trace)
    worst: dict[Part, Told] = {}
    aparts: dict[Part, list[float]] = {}
    for figure in (shape for each in figures(trace) for shape in (each, *_rooted(each))):
        for plain, exact, sizes in _windows(figure, whole):
            apart = _apart(plain, exact, next((each for each in SHAPES if near(figure.value, each(plain))), float))
            part = figure.readings[0].site.place, _still(figure, len(sizes))
            aparts.setdefault(part, []).append(apart)
            if apart >= SMALL and apart > worst.get(part, (0.0,))[0]:
                worst[part] = (apart, figure, plain, exact, sizes)
    yield from _tensors(trace)
    yield from _printed(trace, {place for place, _ in worst})
    for told in by_batch(trace):
        yield found(RULE, *told, CUT, "add up the counts over all batches, and make the score of these once")
    for apart, figure, plain, exact, sizes in _once(worst.values()):
        yield found(
            RULE,
            dividing(figure),
            f"{len(sizes)} batches of {min(sizes)} to {max(sizes)} count the same in a reported mean",
            f"{figure.name} is made of {plain:.6g}, the mean of the {figure.readings[0].kind}s; over all {sum(sizes)} "
            f"it is {exact:.6g} ({100 * apart:.2g} % apart); the batches' numbers are read on line "
            f"{figure.readings[0].site.line}",
            CUT,
            "add up value * count, and divide once by the sum of the counts",
            level=_level(figure, len(sizes), aparts[figure.readings[0].site.place, _still(figure, len(sizes))]),
        )


def _once(told: Iterable[Told]) -> Iterator[Told]:
    """One of those whose readings are the same numbers on several lines, such a one as the program divides."""
    alike: dict[tuple[float, ...], list[Told]] = {}
    for each in told:
        alike.setdefault(tuple(one.value for one in each[1].readings[: len(each[4])]), []).append(each)
    for same in alike.values():
        yield max(same, key=lambda each: (dividing(each[1]) != each[1].readings[0].site, each[0]))


def _printed(trace: Trace, told: set[tuple[str, int]]) -> Iterator[Finding]:
    """The same for what no name stands for: the print after each pass shows the plain mean, and never the right one."""
    prints = trace.of(Printed)
    for held in _shaped(readings(trace).values()):
        figures = list(_by_run(held, prints))
        asked = SHAPES if held[0].kind == "mean" else SHAPES[:1]
        digits = (4, 3) if len(figures) >= SEVERAL else (4,)
        shapes = [s for s in asked if any(all(_only(*each, s, least) for each in figures) for least in digits)]
        if figures and held[0].site.place not in told and shapes:
            one, plain, exact = figures[0]
            aparts = [_apart(plain, exact, shapes[0]) for _, plain, exact in figures]
            yield found(
                RULE,
                dividing(one),
                f"{len(one.readings)} batches of several sizes count the same in a printed mean",
                f"{plain:.6g}, the mean of the {held[0].kind}s, is printed; over all it is {exact:.6g}; the batches' "
                f"numbers are read on line {held[0].site.line}",
                CUT,
                "add up value * count, and divide once by the sum of the counts",
                level=_level(one, len(one.readings), aparts) if len(figures) > 1 else "advice",
            )


def _shaped(lines: Iterable[list[Reading]]) -> Iterator[list[Reading]]:
    """The readings of each line, and roots and perplexities of the batches, which a program may take of them."""
    for held in lines:
        yield held
        if all(map(_loss, held)):
            yield from _others(held)


def _loss(reading: Reading) -> bool:
    return reading.kind == "mean" and reading.value >= 0 and not reading.score


def _others(held: Sequence[Reading]) -> Iterator[list[Reading]]:
    for kind, shape in (("root", _root), ("perplexity", _perplexity)):
        if kind == "root" or all(each.value < HUGE for each in held):
            yield [replace(each, kind=kind, value=shape(each.value)) for each in held]


def _apart(plain: float, exact: float, shape: Callable[[float], float]) -> float:
    """By which share what is reported differs from the right one: a perplexity by more than its logarithm does."""
    told, right = shape(plain), shape(exact)
    return abs(told - right) / max(abs(right), 1e-12)


def _only(one: Figure, plain: float, exact: float, shape: Callable[[float], float], digits: int) -> bool:
    """Whether the plain mean is printed, as it is or in another shape, and not the one over all."""
    known = shape is not _perplexity or max(plain, exact) < HUGE
    return known and shown(shape(plain), one.printed, digits) and not shown(shape(exact), one.printed, digits)


def _by_run(held: Sequence[Reading], prints: Sequence[Printed]) -> Iterator[tuple[Figure, float, float]]:
    """Each pass over a loader in batches of several sizes, with the decimals of the print after it and both means."""
    for run, part in groupby(held, key=lambda each: each.run or -1 - each.update):  # without a loader, up to an update
        window = tuple(part)[::-1]
        alike = len({each.kind for each in window}) == len({each.update for each in window}) == 1
        if run and alike and window[0].kind in KINDS and len({each.size for each in window}) > 1:
            place = bisect_left(prints, window[0].n, key=lambda each: each.n)
            texts = tuple(SHORT.findall(prints[place].text)) if place < len(prints) else ()
            yield Figure(window[0].n, "what is printed", math.nan, window[0].site, window, texts), *_both(window)


def _both(window: Sequence[Reading]) -> tuple[float, float]:
    """The plain mean of some readings, and the one over all samples, of roots and perplexities that of the latter."""
    means = [BACK.get(each.kind, float)(each.value) for each in window]
    exact = sum(mean * each.size for mean, each in zip(means, window, strict=True)) / sum(each.size for each in window)
    shape = {"root": _root, "perplexity": _perplexity}.get(window[0].kind, float)
    return sum(each.value for each in window) / len(window), shape(exact)


def _level(figure: Figure, count: int, aparts: Sequence[float]) -> Literal["warning", "advice"]:
    """A warning where what is told is far enough from the right one, and another cut would give another figure.

    A mean over updates follows a model that changes meanwhile, and a last batch that chance fills is off to either side
    now and then: half of such figures must be. Roots that one trains on may be meant as they are.
    """
    if _still(figure, count):
        return "warning" if max(aparts) >= TOLD else "advice"
    far = figure.readings[0].kind == "mean" and median(aparts) >= COURSE
    return "warning" if far else "advice"


def _still(figure: Figure, count: int) -> bool:
    """Whether the model did not change between the readings."""
    return len({each.update for each in figure.readings[:count]}) == 1


def _tensors(trace: Trace) -> Iterator[Finding]:
    """The same for what is added up, or stacked, as tensors."""
    for total in totals(trace):
        if total.kind != "mean" or total.count != len(total.sizes) or len(set(total.sizes)) == 1:
            continue
        plain = sum(total.values) / len(total.values)
        whole = sum(total.sizes)
        exact = sum(value * size for value, size in zip(total.values, total.sizes, strict=True)) / whole
        apart = abs(plain - exact) / max(abs(exact), 1e-12)
        if apart >= SMALL:
            yield found(
                RULE,
                total.at.site,
                f"{len(total.sizes)} batches of {min(total.sizes)} to {max(total.sizes)} count the same in a mean",
                f"their plain mean is {plain:.6g}; over all {whole} it is {exact:.6g} ({100 * apart:.2g} % apart)",
                CUT,
                "add up value * count, and divide once by the sum of the counts",
                level="warning" if apart >= TOLD else "advice",
            )


def _rooted(figure: Figure) -> Iterator[Figure]:
    """The same with roots or perplexities of the batches' numbers, which a program may take when they are read."""
    if all(map(_loss, figure.readings)) and len({each.size for each in figure.readings}) > 1:
        yield from (replace(figure, readings=tuple(shaped)) for shaped in _others(figure.readings))


def _windows(figure: Figure, whole: set[int]) -> Iterator[tuple[float, float, list[int]]]:
    """The trailing readings whose plain mean is the figure, or whose total is, with the mean printed."""
    total = 0.0
    sizes: list[int] = []
    before = None
    for reading in figure.readings:
        if (
            reading.kind not in KINDS
            or reading.kind != figure.readings[0].kind
            or (before is not None and before.update - reading.update > 1)
        ):
            return
        before = reading
        total += reading.value
        sizes.append(reading.size)
        if len(sizes) < 2 or len(set(sizes)) == 1:
            continue
        plain, exact = _both(figure.readings[: len(sizes)])
        means = any(near(figure.value, scale * plain) for scale in (1, 100))
        means = means or (not reading.score and any(near(figure.value, each(plain)) for each in SHAPES))
        rest = figure.readings[len(sizes) :]
        full = sum(each.rows for each in figure.readings[: len(sizes)]) in whole or not rest
        if not full and (rest[0].run == reading.run if reading.run else reading.update != figure.readings[0].update):
            continue  # a part of a pass, as for a display
        if means or (near(figure.value, total) and shown(plain, figure.printed) and not shown(exact, figure.printed)):
            yield plain, exact, sizes[:]
