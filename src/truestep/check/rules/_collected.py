"""Figures of hits: those added up as tensors and read once, and those over places that can be no hit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from truestep.check.events import Names, Number
from truestep.check.rules._quotients import dividing
from truestep.check.rules._readings import Figure, cuts, kind_of, near
from truestep.check.rules._totals import terms
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN = 2


def collected(trace: Trace, others: dict[int, str]) -> Iterator[tuple[Site, str, str]]:
    """Totals of hits that were read from a tensor and divided, each time, by the size of something else."""
    counts = dict.fromkeys(cuts(trace), "the length of other data") | others
    held: dict[tuple[str, int], list[tuple[Number, int, int]]] = {}
    for number in trace.of(Number):
        if number.close and number.value:
            parts = [kind_of(trace, *term) for term in terms(trace, number.of, number.n)]
            if len(parts) > 1 and all(kind == "sum" and score for kind, _, score in parts):
                size = sum(size for _, size, _ in parts)
                held.setdefault(number.site.place, []).append((number, size, len(parts)))
    for numbers in held.values():
        values = [_after(trace, number) for number, _, _ in numbers]
        shares = [[value for part in (1, 100) for value in own if near(value, part * (number.value or 0) / size)]
                  for own, (number, size, _) in zip(values, numbers, strict=True)]  # fmt: skip
        if any(shares) or len({number.value for number, _, _ in numbers}) < OFTEN:
            continue
        for count, words in {**counts, numbers[0][2]: "the number of batches"}.items():
            met = [
                any(near(value, part * (number.value or 0) / count) for part in (1, 100) for value in own)
                for own, (number, size, _) in zip(values, numbers, strict=True) if size != count
            ]  # fmt: skip
            if len(met) >= OFTEN and all(met):
                number, size, batches = numbers[0]
                yield (
                    number.site,
                    f"hits over {batches} batches are divided by {count}, {words}",
                    f"{number.value:g} hits among {size} are told as {(number.value or 0) / count:.6g}, and so "
                    f"{len(met)} times; with the right count it is {(number.value or 0) / size:.6g}",
                )
                break


def _after(trace: Trace, number: Number) -> set[float]:
    """The real numbers that names stood for soon after a number was read."""
    return {
        value for names in trace.of(Names) if names.n > number.n and names.update <= number.update + 1
        for value in names.held.values() if isinstance(value, float)
    }  # fmt: skip


def blank(figures: Sequence[Sequence[Figure]]) -> Iterator[tuple[Site, str, str]]:
    """Shares of hits among all places, those with the ignored label included."""
    told: set[tuple[str, int]] = set()
    for figure in (each for same in figures for each in same):
        total, size = 0.0, 0
        for reading in figure.readings:
            if not reading.blank or reading.kind != "sum" or reading.update != figure.readings[0].update:
                break
            total, size = total + reading.value, size + reading.size
            place = reading.site.place
            if place not in told and any(near(figure.value, part * total / size) for part in (1, 100)):
                told.add(place)
                yield (
                    dividing(figure),
                    f"hits are divided by all {size} places, though some have the label that the loss ignores",
                    f"{figure.name} is {total:g} / {size} = {total / size:.6g}; what has no label can be no hit, and "
                    f"lowers it",
                )
