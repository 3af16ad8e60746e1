"""The best model is chosen the wrong way round: by the largest loss, the smallest accuracy, or by a bound never met.

What: `if loss > best` keeps the worst model; `best = 0.0` with `if loss < best` keeps none.

Why: what is restored as the best is the worst, or was never trained.

Evidence: each kept value is a loss that was read from tensors (or the share of equal predictions) and larger (smaller)
than those before; or the best value is what it was at first although the comparison was reached after many updates.

False alarms: the largest loss is also tracked to find hard samples; without a model kept it is no finding.

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

from truestep.check.events import Event, Forward, Names, Number, Op
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._guards import Guard, at, guards, kept, worth
from truestep.check.rules._readings import near
from truestep.check.trace import LOSSES, Trace

RULE = Rule("TS677", "best_wrong_way", "the best model is chosen the wrong way round", "error", "reporting")
OFTEN = 3


def look(trace: Trace) -> Iterator[Finding]:
    """Ask of each comparison which way it went, and whether it ever came true."""
    kinds = _kinds(trace)
    for guard in guards(trace):
        if not guard.sets:
            continue
        events = kept(trace, guard)
        told = _worst(trace, guard, events, kinds) if events else _never(trace, guard)
        if told:
            message, evidence = told
            yield found(
                RULE, guard.site, message, evidence, "what is restored as the best is the worst, or was never trained",
                'a loss is best when smallest, from float("inf") down; an accuracy when largest, from zero up',
            )  # fmt: skip


def _kinds(trace: Trace) -> list[tuple[int, float, str]]:
    """The numbers that were read without a graph: event, value, and whether a "loss" or a "score"."""
    found = []
    for event in trace.of(Number):
        if event.value is None or not math.isfinite(event.value):
            continue
        op = trace.maker(event.of, event.n)
        kind = "" if op is None else _kind(trace, op)
        found.append((event.n, event.value, kind))
    return found


def _kind(trace: Trace, op: Op) -> str:
    if op.name in LOSSES:
        return "loss"
    if op.name in ("mean", "sum") and op.inputs:
        before = trace.maker(op.inputs[0], op.n)
        while before is not None and before.name in ("float", "double", "to") and before.inputs:
            before = trace.maker(before.inputs[0], before.n)
        names = {"eq": "score", "square": "loss", "pow": "loss", "__pow__": "loss", "abs": "loss"}
        return "" if before is None else names.get(before.name, "")
    return ""


def _worst(
    trace: Trace, guard: Guard, events: list[Event], kinds: list[tuple[int, float, str]]
) -> tuple[str, str] | None:
    """Whether what was kept are growing losses, or shrinking scores."""
    wrong = "score" if guard.less else "loss"
    values = []
    for event in events:
        names = at(trace, event)
        value = None if names is None else worth(names, guard.value)
        if value is None or not _is(value, wrong, kinds, event.n):
            return None
        values.append(value)
    if not values:
        return None
    word, size = ("smallest", "accuracy") if guard.less else ("largest", "loss")
    return (
        f"the model with the {word} {size} is kept",
        f"{guard.value} was {', '.join(f'{value:.4g}' for value in values[:5])} where a model was kept: a {wrong} that "
        "was read from the model's outputs",
    )


def _is(value: float, wrong: str, kinds: list[tuple[int, float, str]], before: int) -> bool:
    """Whether a value is a recent number of this kind, or the mean of the last few."""
    total, number = 0.0, 0
    for n, each, kind in reversed(kinds):
        if n > before:
            continue
        if kind != wrong or number > 300:
            return False
        total, number = total + each, number + 1
        if near(value, total / number) or near(value, 100 * total / number):
            return True
    return False


def _never(trace: Trace, guard: Guard) -> tuple[str, str] | None:
    """Whether the comparison was reached after several updates and the bound stayed where nothing passes."""
    first, last = guard.function
    reached = {
        event.update
        for event in trace.of(Number, Forward)
        if any(file == guard.site.file and first <= line <= last for file, line in _places(event))
    }
    seen = [value for names in trace.of(Names) if (value := worth(names, guard.best, whole=False)) is not None]
    late = [names.update for names in trace.of(Names) if worth(names, guard.best, whole=False) is not None]
    if len(reached) < OFTEN or len(set(late)) < OFTEN or len(set(seen)) != 1 or guard.inside_ran(trace):
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


def _places(event: Event) -> tuple[tuple[str, int], ...]:
    return (event.site.place, *event.site.callers)
