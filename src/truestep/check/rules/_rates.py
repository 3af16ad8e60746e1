"""Rates that are next to nothing for all of a run or for a good part of it, by the rates of its steps alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from truestep.check.changes import SchedulerMade, SchedulerStep, Step
from truestep.check.finding import Level
from truestep.check.site import Site
from truestep.check.trace import Trace

LEAST, LONG = 20, 60
"""The steps that say something, and those of a run whose last third does."""
GONE = 1e-7
EQUAL = 1e-9


class Nothing(NamedTuple):
    """What is wrong with the rates of an optimizer, where, and how sure that is."""

    site: Site
    message: str
    evidence: str
    level: Level
    optimizer: int


def nothing(trace: Trace) -> Iterator[Nothing]:
    """Rates of zero at all steps, rates that are a factor times themselves, and rates that fall to nothing too soon."""
    steps: dict[int, list[Step]] = {}
    for step in trace.of(Step):
        if not step.nested and step.rates:
            steps.setdefault(step.optimizer, []).append(step)
    for number, own in steps.items():
        made = trace.optimizers().get(number)
        if made is None or len(own) < LEAST:
            continue
        site = next((each.site for each in trace.of(SchedulerStep) if each.optimizer == number), made[0].site)
        rates = [max(step.rates) for step in own]
        if not any(rates):
            yield Nothing(
                site,
                "the rate is 0 at every step: the weights do not move",
                f"all {len(own)} steps of {own[0].kind} were made at a rate of 0",
                "error",
                number,
            )
        else:
            told = _squared(trace, number, rates) or _gone(rates)
            if told:
                yield Nothing(site, *told, "warning", number)


def _squared(trace: Trace, optimizer: int, rates: list[float]) -> tuple[str, str] | None:
    """A function that gives the rate itself where its factor was asked for."""
    made = next((each for each in trace.of(SchedulerMade) if each.optimizer == optimizer), None)
    base = made.settings.get("base_lrs") if made is not None and made.kind == "LambdaLR" else None
    if not isinstance(base, tuple) or not base or not isinstance(base[0], float) or not 0 < base[0] < 1:
        return None
    if abs(rates[0] - base[0] ** 2) > EQUAL * rates[0] or max(rates) > rates[0] * (1 + EQUAL):
        return None
    return (
        "the function of this LambdaLR gives a rate, and a factor of the optimizer's own rate is asked for",
        f"its first factor is {base[0]:g}, the rate of the optimizer, so the first of {len(rates)} steps was made at "
        f"{rates[0]:.3g}, the square of it, and no later one at more",
    )


def _gone(rates: list[float]) -> tuple[str, str] | None:
    """A rate that is nothing beside the largest for the last third of a run and more."""
    top = max(rates)
    last = next((at for at in range(len(rates), 0, -1) if rates[at - 1] > GONE * top), 0)
    if len(rates) < LONG or not rates.index(top) < last <= len(rates) * 2 / 3:
        return None
    return (
        "the rate falls to nothing long before the end: the last updates move no weight",
        f"from update {last} on, of {len(rates)}, it was below {GONE:g} of its largest value: {rates[last]:.3g} where "
        f"it had been {top:.3g}, and {rates[-1]:.3g} at the end",
    )
