"""A scheduler is built and never stepped.

What: the optimizer makes its updates, and its scheduler is never asked to move. Or a rate is computed by hand again and
again, and never given to the optimizer: only a name, a copy of its groups, an attribute of its own, its
defaults or another key of its groups has it.

Why: the rate stays where it started: the decay or the warm-up that was chosen does not take place.

Evidence: the count of the scheduler's steps against that of its optimizer's updates, and the one rate of all updates;
the values that the name of a rate had meanwhile, where the source does nothing with them but to tell them.

False alarms: schedulers that are parts of a `SequentialLR` or `ChainedScheduler` are stepped by it; a run that stops
within its first epoch, by itself, by an error, by Ctrl-C or by `--steps`, may not have come to the step. Neither is a
finding, nor is a rate that moves by other hands.

Mend: `scheduler.step()` at the end of each epoch (or after each update, for schedules counted in updates).

Wrong:
    scheduler = StepLR(optimizer, 10)
    for epoch in range(epochs):
        train(model, optimizer)

Right:
    scheduler = StepLR(optimizer, 10)
    for epoch in range(epochs):
        train(model, optimizer)
        scheduler.step()
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from truestep.check.changes import Step
from truestep.check.events import LoaderEnd, LoaderStart
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._courses import PARTS, Course, courses
from truestep.check.rules._facts import complete
from truestep.check.rules._unused import misplaced, unused
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS740", "schedule_never", "a scheduler that is never stepped", "error", "schedules")
FEW = 5


def look(trace: Trace) -> Iterator[Finding]:
    """Look for schedulers without a step."""
    known = courses(trace)
    yield from _of_another(trace, known)
    yield from _computed(trace)
    yield from _misplaced(trace)
    moved = {course.made.optimizer for course in known if course.steps}
    parents = {course.made.optimizer: course for course in known if course.made.kind in PARTS}
    for course in known:
        made, updates = course.made, course.updates
        if parents.get(made.optimizer, course) is not course:
            continue  # a part of one that steps it
        rates = {update.rates for update in updates}
        over = complete(trace) or _passed(trace, updates) > 1
        if not course.steps and made.optimizer not in moved and len(updates) >= FEW and len(rates) == 1 and over:
            rate = next(iter(rates))[0]
            yield found(
                RULE,
                made.site,
                f"{made.kind} is built and never stepped",
                f"0 steps of the scheduler in {len(updates)} updates of its optimizer, all at the rate {rate:.4g}",
                "the rate stays where it started, and the schedule that was chosen does not take place",
                "call scheduler.step() at the end of each epoch, or after each update if it counts updates",
            )


def _passed(trace: Trace, updates: tuple[Step, ...]) -> int:
    """How many passes over a loader came to their end with updates inside, so that no epoch is under way still."""
    starts, places = {start.run: start.n for start in trace.of(LoaderStart)}, [update.n for update in updates]
    ends = [(starts.get(end.run, end.n), end.n) for end in trace.of(LoaderEnd)]
    return sum(bisect_left(places, began) < bisect_left(places, n) for began, n in ends)


def _computed(trace: Trace) -> Iterator[Finding]:
    """A rate that changes by name alone."""
    for name, values, steps, site in unused(trace, FEW):
        told = ", ".join(f"{value:.4g}" for value in values[:4]) + (", ..." if len(values) > 4 else "")
        yield found(
            RULE,
            site,
            f"{name} is set and the optimizer never uses it",
            f"{name} was {told}, and all {plural(len(steps), 'update')} were made at the rate {steps[0].rates[0]:.4g}",
            "the rate stays where it started, and the schedule that was chosen does not take place",
            'put it where the optimizer reads it: for group in optimizer.param_groups: group["lr"] = ...',
        )
        return


def _misplaced(trace: Trace) -> Iterator[Finding]:
    """A rate that is put where no step reads it."""
    for place, steps, site in misplaced(trace, FEW):
        yield found(
            RULE,
            site,
            f"{place} is set, which no step of the optimizer reads",
            f"all {plural(len(steps), 'update')} were made at the rate {steps[0].rates[0]:.4g}",
            "the rate stays where it started, and the schedule that was chosen does not take place",
            'put it where the optimizer reads it: for group in optimizer.param_groups: group["lr"] = ...',
            "warning",
        )


def _of_another(trace: Trace, known: list[Course]) -> Iterator[Finding]:
    """A scheduler that is stepped for an optimizer that never steps, while another one moves the same parameters."""
    steps: dict[int, list[Step]] = defaultdict(list)
    for step in trace.of(Step):
        steps[step.optimizer].append(step)
    driven = {course.made.optimizer for course in known if course.steps}
    for course in known:
        mine = trace.held(course.made.optimizer)
        if len(course.steps) < 2 or steps[course.made.optimizer] or not mine:
            continue
        for other, taken in steps.items():
            later = [step for step in taken if step.n > course.steps[0].n]
            if other not in driven and mine <= trace.held(other) and len(later) >= FEW:
                yield found(
                    RULE,
                    course.made.site,
                    f"{course.made.kind} moves the rate of an optimizer that never steps",
                    f"{len(course.steps)} steps of the scheduler, none of its optimizer; another one that holds the "
                    f"same parameters took {plural(len(taken), 'step')} at the rate {later[-1].rates[0]:.4g}",
                    "the rate that counts stays where it started",
                    "build the scheduler with the optimizer that is used, after that was built",
                )
                break
