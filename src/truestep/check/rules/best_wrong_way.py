"""The best model is chosen the wrong way round: by the largest loss, the smallest accuracy, or by a bound never met.

What: `if loss > best` keeps the worst model; `best = 0.0` with `if loss < best` keeps none; `max(runs, key=...)` or
`np.argmax(losses)` takes the worst of a table.

Why: what is restored as the best is the worst, or was never trained.

Evidence: each kept value is a loss that was read from tensors (or the share of equal predictions) and larger (smaller)
than those before; or the best value is what it was at first although the comparison was reached after many updates; or
it is the worst of all evaluations and the later ones were better; or what was chosen from a table is the worst in it,
and its weights are those in use afterwards. However a program chose: the only earlier weights in use after the training
are by all that was read worse than most of those evaluated, and than all later ones.

False alarms: the largest loss is also tracked to find hard samples; without a model kept, or taken into use, it is no
finding, nor is it where the best one is in use as well. What a figure is made of must be known: a loss, or hits.

Mend: `if loss < best` with `best = float("inf")`; `if accuracy > best` with `best = 0.0`.

Wrong:
    best = 0.0
    if val_loss > best:
        best, state = val_loss, copy.deepcopy(model.state_dict())

Right:
    best = float("inf")
    if val_loss < best:
        best, state = val_loss, copy.deepcopy(model.state_dict())
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from truestep.check.changes import Saved, StateTaken
from truestep.check.events import Event, Forward, Names, Number
from truestep.check.finding import Finding, Level, Rule
from truestep.check.rules import found
from truestep.check.rules._called import rises
from truestep.check.rules._chosen import wrongly_chosen
from truestep.check.rules._guards import Guard, guards, kept, pair
from truestep.check.rules._meaning import Line, course, figure, lines
from truestep.check.rules._readings import near
from truestep.check.rules._restored import worst_restored
from truestep.check.rules._worth import worth
from truestep.check.site import Site
from truestep.check.trace import Trace

RULE = Rule("TS677", "best_wrong_way", "the best model is chosen the wrong way round", "error", "reporting")
OFTEN = 3


def look(trace: Trace) -> Iterator[Finding]:
    """Ask of each comparison which way it went, and whether it ever came true."""
    known, told = lines(trace), False
    for guard in guards(trace):
        events = kept(trace, guard) if guard.sets else []
        if not guard.sets or (not events and _spans(trace, guard)):
            continue
        words = _worst(trace, guard, events, known) or _stayed(trace, guard, known)
        if not events:
            words = words or _never(trace, guard)
        named = None if words or not events else _called(trace, guard)
        if words or named:
            told = True
            yield _found(guard.site, *(words or named or ()), level=None if words else "warning")
    for site, message, evidence in wrongly_chosen(trace, known):
        told = True
        yield _found(site, message, evidence)
    for site, message, evidence in () if told else worst_restored(trace, known):
        yield _found(site, message, evidence, "warning")


def _spans(trace: Trace, guard: Guard) -> bool:
    """Whether the same value is followed in both directions there: these are the ends of a range, as of an axis."""
    mine = guard.site.file, guard.function, guard.value
    return any(
        (other.site.file, other.function, other.value) == mine
        and other.sets and other.best != guard.best and {other.less, guard.less} == {True, False}
        for other in guards(trace)
    )  # fmt: skip


def _found(site: Site, message: str, evidence: str, level: Level | None = None) -> Finding:
    return found(
        RULE, site, message, evidence, "what is restored as the best is the worst, or was never trained",
        'a loss is best when smallest, from float("inf") down; an accuracy when largest, from zero up', level,
    )  # fmt: skip


def _worst(trace: Trace, guard: Guard, events: list[Event], known: list[Line]) -> tuple[str, str] | None:
    """Whether what was kept are growing losses, or shrinking scores."""
    told = [(event.n, value) for event in events for value in [pair(trace, event, guard)[0]] if value is not None]
    less = _observed([value for _, value in told]) if guard.less is None else guard.less
    made = figure(known, told) if less is not None and len(told) == len(events) else None
    if made is None or made.rises != less:
        return None
    word = "smallest" if less else "largest"
    return (
        f"the model with the {word} {guard.value} is kept",
        f"{guard.value} was {', '.join(f'{value:.4g}' for _, value in told[:5])} where a model was kept: {made.words} "
        f"that was read from the model's outputs on line {made.line.place[1]}",
    )


def _called(trace: Trace, guard: Guard) -> tuple[str, str] | None:
    """Whether the smallest of what bears the name of a score was kept, and larger ones were not."""
    best = [value for names in trace.of(Names) if (value := worth(names, guard.best, False)) is not None]
    each = [value for names in trace.of(Names) if (value := worth(names, guard.value, False)) is not None]
    values = list(dict.fromkeys(value for value in each if math.isfinite(value)))
    if not guard.less or not rises(guard.value) or len(values) < OFTEN or not best or best[-1] != min(values):
        return None
    later = [value for value in values[values.index(best[-1]) + 1 :] if value > best[-1]]
    if len(later) < OFTEN - 1 or values[-1] < values[0]:
        return None
    return (
        f"the model with the smallest {guard.value} is kept",
        f"{guard.best} ended at {best[-1]:.4g}, the least of {len(values)} figures that are called {guard.value}; "
        f"{len(later)} later ones were larger, up to {max(later):.4g}",
    )


def _observed(values: list[float]) -> bool | None:
    """Which way a comparison that the source has both ways, as with a mode, went: True where each value is smaller."""
    if len(values) < OFTEN:
        return None
    return next((less for less in (True, False) if all((b < a) is less and a != b for a, b in pairwise(values))), None)


def _stayed(trace: Trace, guard: Guard, known: list[Line]) -> tuple[str, str] | None:
    """Whether the best value is the worst of many evaluations: each later one was better and none was kept."""
    if not any(guard.around(event) for event in trace.of(Saved, StateTaken)):
        return None
    told = [(names.n, value) for names in trace.of(Names) if (value := worth(names, guard.best, False)) is not None]
    seen = {value: n for n, value in reversed(told)}  # each value where it came up first
    last = told[-1][1] if told else math.inf
    made = figure(known, [(seen[last], last)]) if math.isfinite(last) else None
    if made is None or (guard.less is not None and made.rises != guard.less):
        return None
    after = course(made)
    values = [value for _, value in after]
    raw = next((value for value in reversed(values) if any(near(value, each) for each in _raw(last))), None)
    if raw is None or len(after) < OFTEN:
        return None
    worst, best = (min, max) if made.line.kind == "hits" else (max, min)
    place = values.index(raw)
    better = [value for value in values[place + 1 :] if (value > raw) == (made.line.kind == "hits") and value != raw]
    if raw != worst(values) or raw == best(values) or len(better) < OFTEN - 1:
        return None
    return (
        f"{guard.best} holds the worst value, and what is better is not kept",
        f"it stayed at {last:.4g}, {made.words} that was read on line {made.line.place[1]} after {after[place][0]} "
        f"updates; of {len(values) - place - 1} later evaluations {len(better)} were better, up to {best(better):.4g}",
    )


def _raw(value: float) -> Iterator[float]:
    """What may have been read where a figure is this."""
    yield from (value, -value, 1 - value, value / 100, 1 - value / 100, value * value)
    if value > 0:
        yield math.log(value)


def _never(trace: Trace, guard: Guard) -> tuple[str, str] | None:
    """Whether the comparison was reached after several updates and the bound stayed where nothing passes."""
    if guard.less is None:
        return None
    reached = {event.update for event in trace.of(Number, Forward) if guard.around(event)}
    known = [(names, worth(names, guard.best, whole=False)) for names in trace.of(Names)]
    seen = [value for _, value in known if value is not None]
    late = {names.update for names, value in known if value is not None}
    if len(reached) < OFTEN or len(late) < OFTEN or len(set(seen)) != 1 or guard.inside_ran(trace):
        return None
    bound = seen[0]
    closed = bound == 0 or bound == -math.inf if guard.less else bound >= 1e6
    if not closed:
        return None
    sign = "<" if guard.less else ">"
    return (
        f"{guard.value} {sign} {guard.best} never comes true",
        f"{guard.best} was {bound:g} all the time, over {max(late)} updates",
    )
