"""Totals that a line of the log sets back to zero: what is left of them at the end of a pass is told for all of it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from truestep.check.events import Forward, LoaderEnd, LoaderStart, Names, Number, Printed
from truestep.check.rules._printed import decimals
from truestep.check.rules._quotients import dividing
from truestep.check.rules._readings import LONGEST, Figure, Reading, floats, near, shown
from truestep.check.rules._sliced import lengths, rows
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN, PRINTS, DIGITS, LEAST, CLOSE = 2, 3, 3, 3, 1e-5


class Part(NamedTuple):
    """What a line read of each batch of a pass, and the event before which the next pass has not begun."""

    numbers: tuple[Number, ...]
    end: int


class Call(NamedTuple):
    """When a call of the user's began, and how many samples it was given."""

    began: int
    rows: int


class Met(NamedTuple):
    """A number, and the call before it."""

    call: Call
    number: Number


class Left(NamedTuple):
    """A part, what was told of it, and how many of its last numbers that is made of."""

    part: Part
    name: str
    value: float
    last: int


def set_back(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """The lines of which the last batches' numbers are divided by all batches of a pass, pass by pass."""
    known: set[tuple[str, int]] = set()
    for parts in _lines(trace):
        place = parts[0].numbers[0].site.place if parts else ("", 0)
        told = [] if place in known else _held(trace, parts) or _printed(trace, parts)
        if told:
            known.add(place)
            yield _said(told)


def _said(told: Sequence[Left]) -> tuple[Site, str, str]:
    part, name, value, last = told[0]
    numbers, count = part.numbers, len(part.numbers)
    known = tuple(_reading(each) for each in reversed(numbers))
    added, whole = sum(_values(numbers[-last:])), sum(_values(numbers))
    return (
        dividing(Figure(part.end, name, value, numbers[-1].site, known)),
        f"the total of the last {last} of {count} batches is divided by all {count}",
        f"{name} is {added:.6g} / {count} = {value:.6g}, and so {len(told)} times: the total was set back to zero "
        f"{count - last} batches into the pass; over all of it the mean is {whole / count:.6g}; the batches' numbers "
        f"are read on line {numbers[0].site.line}",
    )


def _lines(trace: Trace) -> Iterator[list[Part]]:
    """By each line that reads one number a batch the passes in which it did; shares of hits say nothing.

    A quotient of whole numbers may well be another one.
    """
    found: dict[tuple[str, int], dict[int, list[Met]]] = {}
    batches = {end.run: end.batches for end in trace.of(LoaderEnd)}
    ends: dict[int, int] = {}
    run, call, odd = 0, Call(0, 0), dict[tuple[str, int], bool]()
    for event in trace.of(Forward, LoaderStart, LoaderEnd, Number):
        if isinstance(event, LoaderStart):
            ends[run] = event.n
            run = event.run
        elif isinstance(event, LoaderEnd):
            run = 0 if event.run == run else run
        elif isinstance(event, Forward):
            call = Call(event.began, rows(event)) if event.depth == 0 and rows(event) else call
        elif event.value is not None and math.isfinite(event.value * max(call.rows, 1)) and event.how != "__bool__":
            place, value = event.site.place, event.value * max(call.rows, 1)
            odd[place] = odd.get(place, False) or abs(value - round(value)) > CLOSE * max(abs(value), 1.0)
            found.setdefault(place, {}).setdefault(run, []).append(Met(call, event))
    last = trace.events[-1].n + 1 if trace.events else 0
    for runs in (runs for place, runs in found.items() if odd[place]):
        loaded = (
            Part(tuple(each.number for each in met), ends.get(number, last))
            for number, met in runs.items() if len(met) == batches.get(number)
        )  # fmt: skip
        yield [part for part in loaded if _fit(part)]
        yield from ([part for part in parts if _fit(part)] for parts in _by_hand(trace, runs.get(0, [])))


def _fit(part: Part) -> bool:
    numbers = part.numbers
    return LEAST <= len(numbers) <= LONGEST and len({each.value for each in numbers}) == len(numbers)


def _by_hand(trace: Trace, met: Sequence[Met]) -> Iterator[list[Part]]:
    """The passes over a tensor that a loop cuts into batches, by each length that all of them come to."""
    if len({each.call for each in met}) < len(met) or not met:
        return
    for length in lengths(trace).get(met[0].call.rows, ()):
        parts, reached = list[list[Met]](), length
        for each in met:
            if reached >= length:
                parts.append([])
                reached = 0
            parts[-1].append(each)
            reached += each.call.rows
        sizes = {tuple(each.call.rows for each in part) for part in parts}
        if len(parts) >= OFTEN and len(sizes) == 1 and sum(sizes.pop()) == length:
            ends = [part[0].call.began for part in parts[1:]] + [trace.events[-1].n + 1]
            yield [Part(tuple(each.number for each in part), end) for part, end in zip(parts, ends, strict=True)]


def _held(trace: Trace, parts: Sequence[Part]) -> list[Left]:
    """What names stand for after each pass that is such a quotient."""
    names = trace.of(Names)
    places = [each.n for each in names]
    met: dict[str, list[Left]] = {}
    for part in parts:
        first, end = (bisect_left(places, at) for at in (part.numbers[-1].n, part.end))
        seen = {(name, value) for each in names[first:end] for name, value in floats(each) if isinstance(value, float)}
        for name, value in seen:
            last = _last(_values(part.numbers), value)
            if last:
                met.setdefault(name, []).append(Left(part, name, value, last))
    often = max(met.values(), key=len, default=[])
    return often if len({each.value for each in often}) >= OFTEN and 2 * len(often) > len(parts) else []


def _last(values: Sequence[float], figure: float) -> int:
    """Of how many of the last numbers, but not all, a figure is the total over the count of all; 0 for none."""
    totals, count = list(accumulate(reversed(values))), len(values)
    if any(near(figure, added / number) for number, added in enumerate(totals, 1)):
        return 0
    part = (at for at, added in enumerate(totals[1:-1], 2) if near(figure * count, added))
    return next((at for at in part if not near(totals[at - 1], totals[-1], CLOSE)), 0)


def _printed(trace: Trace, parts: Sequence[Part]) -> list[Left]:
    """The same where no name stands for it: each print after a pass shows the quotient of as many of the last numbers.

    None of them shows the mean over all, or over the last ones.
    """
    prints = trace.of(Printed)
    told = [(part, texts) for part in parts if (texts := decimals(prints, part.numbers[-1].n, part.end))]
    if len(told) < PRINTS or len({len(part.numbers) for part, _ in told}) > 1:
        return []
    count = len(told[0][0].numbers)
    for last in range(2, count):
        sums = [(sum(_values(part.numbers[-last:])), sum(_values(part.numbers)), texts) for part, texts in told]
        if all(
            shown(added / count, texts, DIGITS)
            and not any(shown(each, texts, DIGITS) for each in (whole / count, added / last))
            for added, whole, texts in sums
        ):
            return [
                Left(part, "what is printed", added / count, last)
                for (part, _), (added, _, _) in zip(told, sums, strict=True)
            ]
    return []


def _values(numbers: Sequence[Number]) -> list[float]:
    return [each.value or 0.0 for each in numbers]


def _reading(number: Number) -> Reading:
    return Reading(number.n, number.update, number.site, number.value or 0.0, "mean", 1, 1, 0, False)
