"""Totals that go on over the passes they are told for: what was added up is never set back to zero."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from truestep.check.events import Forward, Names
from truestep.check.rules._quotients import dividing
from truestep.check.rules._readings import Figure, Reading, near, shown
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN = 2
"""Figures in a row that must hold one more pass each time."""


def over_one(unsound: Sequence[Figure]) -> Iterator[tuple[Site, str, str]]:
    """Totals of all passes so far, divided by what one of them holds."""
    for held in _by_name(unsound):
        found = [(figure, *told) for figure in held for told in [_passes(figure)] if told is not None]
        if _grows([number for _, number, _, _ in found]):
            figure, number, added, count = found[-1]
            yield (
                dividing(figure),
                f"what was added up over {number} passes is divided by the {count} of one",
                f"{figure.name} is made of {added:.6g} / {count}, and the total grew by one pass in each of "
                f"{len(found)} figures: it is never set back to zero; over all {number * count} it is "
                f"{added / (number * count):.6g}",
            )


def _passes(figure: Figure) -> tuple[int, float, int] | None:
    """How many passes a figure is the total of, where it is more than one: with the total, and what one pass counts."""
    added, parts = 0.0, list(_parts(figure.readings))
    rows, size = sum(each.rows for each in parts[0]), sum(each.size for each in parts[0])
    counts = {rows, size} if parts[0][0].kind == "sum" else {len(parts[0])}
    for number, part in enumerate(parts, 1):
        if part[0].kind not in ("mean", "sum") or sum(each.rows for each in part) != rows:
            return None
        added += sum(each.value for each in part)
        for count in counts if number > 1 else ():
            value = added / count if count else 0.0
            printed = near(figure.value, added) and shown(value, figure.printed)
            printed = printed and not shown(value / number, figure.printed)
            if count > 1 and not value.is_integer() and (printed or _told(figure, value)):
                return number, added, count
    return None


def _parts(readings: Sequence[Reading]) -> Iterator[list[Reading]]:
    """The readings pass by pass, the last one first: a loader's run, or what was read between two updates."""
    for _, part in groupby(readings, key=lambda each: each.run or -1 - each.update):
        yield list(part)


def of_prints(trace: Trace, held: Sequence[Figure]) -> Iterator[tuple[Site, str, str]]:
    """Totals that a line is printed with after each so many batches, divided by these alone."""
    for same in _by_name(held):
        known: list[tuple[int, Figure]] = []
        for figure in same:
            number = _terms(figure)
            if number > 1 and figure.printed and (not known or number > known[-1][0]):
                known.append((number, figure))
        few = known[0][0] if known else 0
        late = [(number, figure) for number, figure in known[1:] if _shown(figure, number, few)]
        if len(late) >= OFTEN and len(late) == len(known) - 1:
            number, figure = late[-1]
            yield (
                dividing(figure),
                f"what was added up over {number} batches is divided by the last {few}",
                f"{figure.name} is {figure.value:.6g} and {figure.value / few:.4g} is printed: in {len(late)} of "
                f"{len(known)} prints the total holds what was told before; over all {number} it is "
                f"{figure.value / number:.6g}",
            )


def _terms(figure: Figure) -> int:
    """Of how many batches' means a figure is the total; 0 for none."""
    added = 0.0
    for number, reading in enumerate(figure.readings, 1):
        if reading.kind != "mean" or float(figure.value).is_integer():
            return 0
        added += reading.value
        if number > 1 and near(figure.value, added):
            return number
    return 0


def _shown(figure: Figure, number: int, few: int) -> bool:
    """Whether the total over the few last ones is printed, and not the one over all."""
    return shown(figure.value / few, figure.printed) and not shown(figure.value / number, figure.printed)


def on_and_on(trace: Trace, sound: Sequence[Figure]) -> Iterator[tuple[Site, str, str]]:
    """Shares over all evaluations so far of one model, on the same rows each time, while it learns in between."""
    alone = {(names.n, value) for names in trace.of(Names) for value in names.held.values() if isinstance(value, float)}
    learned = {number for number, facts in trace.modules.items() if facts.parameters}
    calls = [event for event in trace.of(Forward) if event.depth == 0 and event.module in learned]
    places = [event.n for event in calls]
    for held in _by_name(sound):
        found = [(figure, *told) for figure in held for told in [_mean(figure)] if told is not None]
        if not _grows([number for _, number, _, _ in found], OFTEN + 1):
            continue
        figure, number, mean, own = found[-1]
        parts = list(_parts(figure.readings))[:number]
        rows, models = [], set[int]()
        for part in parts:
            behind = [calls[at - 1] for each in part if (at := bisect_left(places, each.n))]
            models |= {call.module for call in behind}
            rows += [{call.inputs[0].rows for call in behind if call.inputs and call.inputs[0].rows}]
        same = sum(one == rows[0] for one in rows if one) > 1
        if same and len(models) == 1 and not any((each.n, last) in alone for each, _, _, last in found):
            yield (
                dividing(figure),
                f"what was added up over {number} evaluations is told as one: it is never set back to zero",
                f"{figure.name} is {mean:.6g}, that of {number} evaluations of one model on the same data together, "
                f"{len(found)} times one more than before; the last one alone gives {own:.6g}",
            )


def _mean(figure: Figure) -> tuple[int, float, float] | None:
    """How many evaluations a figure is the mean of, where it is more than one and not that of the last one alone."""
    added = count = 0.0
    own = None
    rows = 0
    for number, part in enumerate(_parts(figure.readings), 1):
        first, size = part[0], sum(each.rows for each in part)
        if first.kind not in ("mean", "sum") or any(each.update != first.update for each in part):
            return None
        rows = rows or size
        if not size or size != rows:
            return None
        added += sum(each.value * (each.rows if first.kind == "mean" else 1) for each in part)
        count += size
        value = added / count
        own = value if own is None else own
        shares = near(figure.value, added) and _printed(figure, value) and not _printed(figure, own)
        if number > 1 and not value.is_integer() and (shares or _told(figure, value)):
            return None if near(value, own, 1e-6) else (number, value, own)
    return None


def _told(figure: Figure, value: float) -> bool:
    """Whether a figure is this quotient, or as many percent; a whole number counts something."""
    return isinstance(figure.value, float) and any(near(figure.value, scale * value) for scale in (1, 100))


def _printed(figure: Figure, value: float) -> bool:
    return any(shown(scale * value, figure.printed) for scale in (1, 100))


def _by_name(held: Sequence[Figure]) -> Iterator[list[Figure]]:
    """The figures of one name and one line, in order."""
    found: dict[tuple[str, object], list[Figure]] = {}
    for figure in held:
        first = figure.readings[0]
        found.setdefault((figure.name, (first.site.place, first.kind, first.score)), []).append(figure)
    yield from found.values()


def _grows(numbers: Sequence[int], often: int = OFTEN) -> bool:
    """Whether each of so many figures holds one pass more than the one before."""
    return len(numbers) >= often and all(after == before + 1 for before, after in pairwise(numbers))
