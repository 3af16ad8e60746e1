"""Whether what was chosen from a table of figures is the worst of it, and in use afterwards."""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import StateLoaded
from truestep.check.events import Forward
from truestep.check.rules._choices import Choice, Column, choices, column
from truestep.check.rules._meaning import Line, figure
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN = 3


def wrongly_chosen(trace: Trace, known: list[Line]) -> Iterator[tuple[Site, str, str]]:
    """The choices of the least where more is better, or of the greatest where less is, with the weights then in use."""
    for choice in choices(trace):
        for words in choice.columns:
            held = column(trace, words)
            if held is None or len(held.numbers) < OFTEN:
                continue
            # the last one may come up in the names only after the choice was put to use
            told = _worst(trace, choice, held, known) or (
                _worst(trace, choice, held._replace(numbers=held.numbers[:-1]), known)
            )
            if told:
                yield choice.site, *told
                break


def _worst(trace: Trace, choice: Choice, held: Column, known: list[Line]) -> tuple[str, str] | None:
    made = figure(known, held.numbers)
    values = [value for _, value in held.numbers]
    if made is None or made.rises == choice.greatest or len(set(values)) < OFTEN:
        return None
    chosen = values.index(max(values) if choice.greatest else min(values))
    best = values.index(min(values) if choice.greatest else max(values))
    marks = [_mark(trace, n) for n, _ in held.numbers]
    used = {event.weights for event in trace.of(Forward, StateLoaded) if event.n > held.numbers[-1][0]}
    if marks[chosen] not in used - {0, marks[-1]} or (marks[best] in used and best != len(marks) - 1):
        return None
    word, other = ("greatest", "smallest") if choice.greatest else ("smallest", "greatest")
    return (
        f"the model with the {word} of {held.words} is chosen",
        f"the weights in use afterwards are those with {values[chosen]:.4g}, {made.words} that was read on line "
        f"{made.line.place[1]}: the {word} of {len(values)}, where the {other} is {values[best]:.4g}",
    )


def _mark(trace: Trace, before: int) -> int:
    """The weights that were evaluated last before an event."""
    seen = (event.weights for event in reversed(trace.of(Forward)) if event.n < before and event.weights)
    return next(seen, 0)
