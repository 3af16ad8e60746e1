"""Whether the weights that are in use after the training are, of all that were evaluated, among the worst.

The weights have marks, and what an evaluation read is known as a loss or as hits; how the program chose is not asked,
only whether it compares or sorts anything: weights of an early epoch may also be loaded to be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from truestep.check.changes import Backward, StateLoaded, Step
from truestep.check.events import Forward, Number
from truestep.check.rules._choices import sorts
from truestep.check.rules._guards import guards
from truestep.check.rules._meaning import Line
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN = 4
APART, MOST = 0.01, 0.7
"""How far the best is away, and the share of evaluations that are better."""
AFTER = 200
"""Events after the last pass of an evaluation in which its numbers are still read."""


class Evaluation(NamedTuple):
    """The events of passes without training between two updates, and the mark of the weights that all of them had."""

    first: int
    last: int
    update: int
    mark: int


def worst_restored(trace: Trace, known: Sequence[Line]) -> Iterator[tuple[Site, str, str]]:
    """Of the evaluated weights some of the worst, where they alone are in use once the last update is made."""
    done = max((event.n for event in trace.of(Step, Backward)), default=0)
    found = _evaluations(trace)
    held = [each for each in found if each.first < done]
    held += [each for each in found if each.first > done and each.mark not in {one.mark for one in held}][:1]
    marks = [each.mark for each in held]
    uses = [event for event in trace.of(Forward, StateLoaded) if event.n > done and event.weights in marks[:-1]]
    old = {event.weights for event in uses}
    if len(old) == 1 and len(set(marks)) == len(marks) >= OFTEN and (guards(trace) or sorts(trace)):
        told = _worst(trace, held, old.pop(), known)
        if told:
            yield uses[0].site, *told


def _evaluations(trace: Trace) -> list[Evaluation]:
    """Stretches of passes without training on the same weights, as far as those have a mark."""
    found: list[Evaluation] = []
    for call in trace.of(Forward):
        if call.depth:
            continue
        now = found[-1] if found else Evaluation(0, 0, -1, 0)
        if call.training and call.grad:
            found.append(Evaluation(0, 0, call.update, 0))
        elif call.update == now.update and now.first and call.weights in (0, now.mark):
            found[-1] = now._replace(last=call.n + AFTER)
        elif call.weights:
            found.append(Evaluation(call.began, call.n + AFTER, call.update, call.weights))
    after = [*found[1:], Evaluation(10**12, 0, 0, 0)][: len(found)]
    starts = [event.n for event in trace.of(Forward) if event.depth == 0]
    return [
        each._replace(last=min(each.last, later.first or next((n for n in starts if n > each.last - AFTER), each.last)))
        for each, later in zip(found, after, strict=True) if each.mark
    ]  # fmt: skip


def _worst(trace: Trace, held: Sequence[Evaluation], mark: int, known: Sequence[Line]) -> tuple[str, str] | None:
    """What says that the evaluation of these weights is among the worst; None where anything says another thing."""
    places = {line.place for line in known}
    read = [
        number for number in trace.of(Number)
        if number.how != "__bool__" and any(each.first < number.n < each.last for each in held)
    ]  # fmt: skip
    if not read or any(number.site.place not in places for number in read):
        return None
    told = None
    for line in known:
        parts = [[value for n, _, value, _ in line.readings if each.first < n < each.last] for each in held]
        if not any(parts):
            continue
        if len(set(map(len, parts))) != 1:
            return None
        values = [sum(part) / len(part) for part in parts]
        place = [each.mark for each in held].index(mark)
        better = [value > values[place] if line.kind == "hits" else value < values[place] for value in values]
        best = max(values) if line.kind == "hits" else min(values)
        least = len(values) - 1 if place == len(values) - 1 else MOST * (len(values) - 1)
        if sum(better) < least or abs(values[place] - best) < APART * abs(best):
            return None
        if any(value != values[place] and not up for value, up in zip(values[place:], better[place:], strict=True)):
            continue
        words = {"loss": "a loss", "hits": "hits"}[line.kind]
        told = told or (
            "the weights that are in use in the end are among the worst that were evaluated",
            f"they are those after {held[place].update} updates, where {words} of {values[place]:.4g} was read on "
            f"line {line.place[1]}; of {len(values)} evaluations {sum(better)} were better, no later one was worse, "
            f"and the best had {best:.4g}",
        )
    return told
