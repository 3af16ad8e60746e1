"""Schedules that pass faster than they were meant to: stepped several times at once, or over and on their way back."""

from __future__ import annotations

from truestep.check.changes import Step
from truestep.check.rules._courses import Course
from truestep.check.trace import Trace

OFTEN = 3


def doubled(trace: Trace, course: Course) -> str:
    """As many steps in a row each time, with updates between these groups and none within, whoever makes them."""
    groups, at, updates = list[int](), 0, trace.of(Step)
    for one in course.steps:
        before = at
        while at < len(updates) and updates[at].n < one.n:
            at += 1
        if at > before or not groups:
            groups.append(0)
        groups[-1] += 1
    sizes = set(groups)
    if len(groups) < OFTEN or len(sizes) != 1 or min(sizes) < 2 or course.between < 1:
        return ""
    size = sizes.pop()
    return f"it was stepped {size} times in a row, with no update between, at each of {len(groups)} places"


def risen(course: Course) -> str:
    """A cosine that was over in the midst of the run, and that the run left on its first way back up."""
    period, rates = course.made.settings.get("T_max"), course.rates
    if course.made.kind != "CosineAnnealingLR" or not isinstance(period, int | float) or period < OFTEN:
        return ""
    if not 1.3 * period < len(rates) <= 2 * period + 1 or rates[-1] < course.start / 2 or not course.start:
        return ""
    return (
        f"its T_max is {period:g} and it was stepped {len(rates)} times: the rate came down to {min(rates):.3g} in the "
        f"midst of the run and stood at {rates[-1]:.3g} again at the end, of {course.start:.3g}"
    )
