"""The scheduler steps before the optimizer.

What: `scheduler.step()` comes before the first `optimizer.step()`, in the loop that it stays in.

Why: the first rate of the schedule is never used, and every later one comes a step too early.

Evidence: the optimizer's updates before the scheduler's first step (none), and the rates with which it then updated.

False alarms: `step(epoch)` with a number, as of old, a resumed schedule, and an optimizer whose first step a GradScaler
left out, are no findings. In a run in which the rate never changed this is advice.

Mend: first `optimizer.step()`, then `scheduler.step()`; by epochs: at the end of the epoch.

Wrong:
    scheduler.step()
    optimizer.step()

Right:
    optimizer.step()
    scheduler.step()
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import Scaler, SchedulerStep, StateLoaded
from truestep.check.finding import Finding, Rule
from truestep.check.mends.schedules import FirstLeftOut
from truestep.check.rules import found
from truestep.check.rules._courses import Course, courses
from truestep.check.trace import Trace

RULE = Rule("TS741", "schedule_before_optimizer", "the scheduler before the optimizer", "error", "schedules")
MENDING = FirstLeftOut()


def look(trace: Trace) -> Iterator[Finding]:
    """Look at what came before the first step of each scheduler."""
    for course in courses(trace):
        first = _early(trace, course)
        if first is not None:
            lost, now = (rates[0] if rates else 0.0 for rates in (first.before, first.after))
            told = f"it moved the rate from {lost:.4g} to {now:.4g} before any update had used the former"
            moved = any(each.before != each.after for each in course.steps)
            if lost == now:
                told = "so every change of the rate " + ("came" if moved else "would come") + " a step early"
            yield found(
                RULE,
                first.site,
                f"{course.made.kind} is stepped before its optimizer",
                f"0 of {len(course.updates)} updates came before its first step on this line; {told}",
                "the first rate of the schedule is left out, and every later one comes a step too early",
                "call optimizer.step() first, and scheduler.step() behind it",
                None if moved else "advice",
            )


def _early(trace: Trace, course: Course) -> SchedulerStep | None:
    """The scheduler's first step, if no update came before it and the same line steps it later on."""
    if not course.updates or len(course.steps) < 2 or course.made.kind == "ReduceLROnPlateau":
        return None
    first, second = course.steps[:2]
    update = course.updates[0]
    if first.n > update.n or second.n < update.n or second.site.place != first.site.place:
        return None
    resumed = any(each.of in ("optimizer", "scheduler") and each.n < first.n for each in trace.of(StateLoaded))
    scaled = any(each.how == "step" and each.enabled and each.n < first.n for each in trace.of(Scaler))
    return first if first.metric is None and not resumed and not scaled else None
