"""A best value of one fold that the next fold has to beat: what is noted for that fold is a score of another one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from truestep.check.changes import OptimizerMade, Step
from truestep.check.events import Names
from truestep.check.rules._batches import split
from truestep.check.rules._guards import Guard, guards
from truestep.check.rules._worth import worth
from truestep.check.trace import Trace

FOLDS = 3
Window = tuple[int, int]


def inherited(trace: Trace) -> Iterator[tuple[Guard, str, str]]:
    """Folds whose list of best scores repeats a score that the fold itself never had."""
    for guard in guards(trace):
        if not guard.sets or guard.less is None:
            continue
        for windows in _lives(trace):
            for name, scores in _lists(trace, len(windows)):
                told = _stuck(trace, guard, windows, scores)
                if told is not None:
                    place, own = told
                    yield (
                        guard,
                        f"{guard.best} is not set back for the next fold, which is noted with the score of another",
                        f"{name} has {scores[place]:.6g} for folds {place} and {place + 1} alike, and {guard.value} "
                        f"was {own:.6g} at its best in fold {place + 1}, whose held-out rows are others",
                    )
                    return


def _lives(trace: Trace) -> Iterator[list[Window]]:
    """From where an optimizer was built to where the next one of that line was, each for parameters of its own."""
    built: dict[tuple[str, int], list[OptimizerMade]] = defaultdict(list)
    for event in trace.of(OptimizerMade):
        if not event.added:
            built[event.site.place].append(event)
    for made in built.values():
        held = [{number for group in event.groups for number in group["params"]} for event in made]
        if len(made) >= FOLDS and not any(a & b for a, b in pairwise(held)):
            yield list(pairwise([*(event.n for event in made), trace.events[-1].n + 1]))


def _lists(trace: Trace, size: int) -> Iterator[tuple[str, tuple[float, ...]]]:
    """The lists of so many numbers that the program holds at its end."""
    last = next((names for names in reversed(trace.of(Names)) if names.when == "end"), None)
    for name, value in last.held.items() if last is not None else ():
        listed = isinstance(value, tuple) and value[:2] == ("list", size) and len(value[2]) == size
        if listed and all(isinstance(each, float) for each in value[2]):
            yield name, value[2]


def _stuck(trace: Trace, guard: Guard, windows: list[Window], scores: tuple[float, ...]) -> tuple[int, float] | None:
    """The fold that was noted with the score of the fold before, and the best one of its own."""
    sign = -1 if guard.less else 1
    if any(sign * after < sign * before for before, after in pairwise(scores)):
        return None
    found: list[tuple[int, float]] = []
    for place in range(1, len(windows)):
        known, own = _seen(trace, guard, windows[place])
        if not known or any(sign * each < sign * scores[place - 1] for each in known):
            return None  # set back, or not looked at
        best = max(own, key=lambda each: sign * each, default=None)
        if scores[place] == scores[place - 1] and best is not None and sign * best < sign * scores[place]:
            found.append((place, best))
    apart = [each for each in found if _others(trace, windows[each[0] - 1], windows[each[0]])]
    return apart[0] if apart else None


def _seen(trace: Trace, guard: Guard, window: Window) -> tuple[list[float], list[float]]:
    """What the best value and the one compared with it were worth after the first update and score of a fold."""
    first = next((step.n for step in trace.between(*window, Step)), window[1])
    names = trace.between(first, window[1], Names)
    values = [worth(each, guard.value) for each in names]
    start = next((at for at, (a, b) in enumerate(pairwise(values), 1) if a != b), len(values))
    known = [worth(each, guard.best) for each in names[start:]]
    return [each for each in known if each is not None], [each for each in values[start:] if each is not None]


def _others(trace: Trace, one: Window, other: Window) -> bool:
    """Whether what is evaluated in two folds are different rows."""
    calls = [call for call in split(trace)[1] if call.inputs and call.inputs[0].rows]
    rows = [{row for call in calls if a < call.n < b for row in call.inputs[0].rows} for a, b in (one, other)]
    return bool(rows[0] and rows[1]) and not rows[0] & rows[1]
