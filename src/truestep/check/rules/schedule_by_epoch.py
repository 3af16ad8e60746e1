"""A schedule that counts updates is stepped once an epoch.

What: the schedule was built for as many steps as there are updates, or its warm-up is so long, and
`scheduler.step()` stands outside the loop over batches.

Why: only a small part of the schedule takes place: a warm-up never ends, a decay hardly begins.

Evidence: the schedule's own length against the steps that it was given and the updates that were made; or a rate that
rises at every step to the end of the run and never comes to its full value.

False alarms: a run that was cut short has fewer updates than the schedule is long. A schedule whose length is not
that of the run in updates is no finding.

Mend: step the scheduler after each update, or count its lengths in epochs.

Wrong:
    scheduler = OneCycleLR(optimizer, 0.1, total_steps=epochs * len(loader))
    for epoch in range(epochs):
        train(loader)
        scheduler.step()

Right:
    scheduler = OneCycleLR(optimizer, 0.1, total_steps=epochs * len(loader))
    for epoch in range(epochs):
        for batch in loader:
            update(batch)
            scheduler.step()
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from truestep.check.finding import Finding, Rule
from truestep.check.mends.schedules import WithEachUpdate
from truestep.check.rules import found
from truestep.check.rules._courses import Course, courses
from truestep.check.trace import Trace

RULE = Rule("TS743", "schedule_by_epoch", "a schedule of updates stepped by epochs", "error", "schedules")
MENDING = WithEachUpdate()
LENGTHS = {
    "OneCycleLR": "total_steps", "CosineAnnealingLR": "T_max", "LinearLR": "total_iters", "CyclicLR": "total_size",
    "PolynomialLR": "total_iters", "CosineAnnealingWarmRestarts": "T_0", "ConstantLR": "total_iters",
}  # fmt: skip
NEAR = 0.1


def look(trace: Trace) -> Iterator[Finding]:
    """Look at how much of each schedule took place."""
    for course in courses(trace):
        if len(course.steps) >= 2 and course.between >= 2:
            evidence = _long(course) or _rising(course) or _falling(course)
            if evidence:
                yield found(
                    RULE,
                    course.steps[0].site,
                    f"{course.made.kind} is stepped once in {course.between:.3g} updates",
                    evidence,
                    "only the first part of the schedule takes place",
                    "step the scheduler after each update, or count its lengths in epochs",
                )


def _long(course: Course) -> str:
    """A schedule as long as the run has updates, of which only a part took place."""
    name = LENGTHS.get(course.made.kind, "")
    length = course.made.settings.get(name)
    updates, steps = len(course.updates), len(course.steps)
    if not isinstance(length, int | float) or abs(length - updates) > NEAR * updates or steps > 0.6 * length:
        return ""
    return f"{name} is {length:g}, as many as the {updates} updates of the run, and it was stepped {steps} times"


def _rising(course: Course) -> str:
    """A warm-up that goes on to the end of the run and would be over, were it counted in updates."""
    rates, base = course.rates, course.made.settings.get("base_lrs")
    if not isinstance(base, tuple) or not base or len(rates) < 4 or course.made.kind in ("OneCycleLR", "CyclicLR"):
        return ""
    gains = [after - before for before, after in zip([course.start, *rates], rates, strict=False)]
    if min(gains) <= 0 or rates[-1] >= 0.8 * base[0]:
        return ""
    needed = (base[0] - course.start) / (sum(gains) / len(gains))
    if needed > len(course.updates):
        return ""
    return (
        f"the rate rose at each of {len(rates)} steps, from {course.start:.4g} to {rates[-1]:.4g}, and never came to "
        f"its full value {base[0]:.4g}: at this pace that takes {needed:.0f} steps, and the run had "
        f"{len(course.updates)} updates"
    )


def _falling(course: Course) -> str:
    """A straight line or a cosine, by a function of the user's, that would come to zero with the run's updates."""
    rates, start, updates = course.rates, course.start, len(course.updates)
    if course.made.kind != "LambdaLR" or len(rates) < 4 or start <= 0 or not 0 < rates[-1] < start:
        return ""
    steps, last = len(rates), rates[-1] / start
    shapes = {
        "line": (steps / (1 - last), lambda part: 1 - part),
        "cosine": (math.pi * steps / math.acos(2 * last - 1), lambda part: (1 + math.cos(math.pi * part)) / 2),
    }
    for name, (length, shape) in shapes.items():
        fits = all(abs(rate / start - shape((at + 1) / length)) < 1e-3 * (1 - last) for at, rate in enumerate(rates))
        if fits and abs(length - updates) <= NEAR * updates and steps <= 0.6 * length:
            return (
                f"the rate falls along a {name} that comes to zero after {length:.0f} steps, as many as the {updates} "
                f"updates of the run, and it was stepped {steps} times: it ends at {rates[-1]:.4g}"
            )
    return ""
