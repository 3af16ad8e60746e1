"""A schedule that counts updates is stepped once an epoch.

What: the schedule was built for as many steps as there are updates, or its warm-up is so long, and
`scheduler.step()` stands outside the loop over batches.

Why: only a small part of the schedule takes place: a warm-up never ends, a decay hardly begins.

Evidence: the schedule's own length against the steps that it was given and the updates that were made; a rate that
rises at every step to the end of the run and never comes to its full value; a decay that takes less than a thirtieth
of the rate with the steps and a good part of it with the updates; a factor whose power of as many updates is
a round number; milestones at round parts of the updates, none of which was reached.

False alarms: a run that was cut short has fewer updates than the schedule is long. A schedule whose length is not
that of the run in updates is no finding. Milestones that are round numbers, that are whole parts of the updates, or
that fall on a part of few, may be counted in epochs of a longer run: of them this is advice. So it is of a short
warm-up that a run of few epochs did not come to the end of, and of a decay that fewer than eight epochs hardly began.

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
from itertools import pairwise

from truestep.check import schedules
from truestep.check.finding import Finding, Level, Rule
from truestep.check.mends.schedules import WithEachUpdate
from truestep.check.rules import found
from truestep.check.rules._courses import Course, by_hand, courses
from truestep.check.trace import Trace

RULE = Rule("TS743", "schedule_by_epoch", "a schedule of updates stepped by epochs", "error", "schedules")
MENDING = WithEachUpdate()
LENGTHS = {
    **schedules.LENGTHS, "OneCycleLR": "total_steps", "CyclicLR": "total_size", "CosineAnnealingWarmRestarts": "T_0",
    "ConstantLR": "total_iters", "SequentialLR": "the length of its parts",
}  # fmt: skip
NEAR, EXACT = 0.1, 0.01
SURE = 100  # a warm-up of so many epochs was meant in updates
MANY = 8  # epochs that nobody trains to try a recipe out
ENDS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 1e-3, 1e-4, 1e-5, 1e-6)
PARTS = [part / whole for whole in (3, 4, 10) for part in range(1, whole)]
FEW, HARDLY, MUCH, LEAST = 4, 0.97, 0.9, 1e-4
"""Steps of a decay that say something; the part of the rate that they left, and the part that the updates would."""
CHANCE = 0.05
"""How likely milestones may be to fall on such parts of a run by chance."""


def look(trace: Trace) -> Iterator[Finding]:
    """Look at how much of each schedule took place."""
    for course in (*courses(trace), *by_hand(trace)):
        if len(course.steps) >= 2 and course.between >= 2:
            evidence, level = _long(course) or _falling(course) or _power(course) or _cycle(course), RULE.level
            for told in (_still, _rising, _unreached, _climbing) if not evidence else ():
                evidence, level = told(course)
                if evidence:
                    break
            if evidence:
                yield found(
                    RULE,
                    course.steps[0].site,
                    f"{course.name} once in {course.between:.3g} updates",
                    evidence,
                    "only the first part of the schedule takes place",
                    "step the scheduler after each update, or count its lengths in epochs",
                    level,
                )


def _long(course: Course) -> str:
    """A schedule as long as the run has updates, of which only a part took place."""
    updates, steps = len(course.updates), len(course.steps)
    name = LENGTHS.get(course.made.kind, "")
    lengths = [(name, course.made.settings.get(name))] if name else []
    if updates >= SURE:  # a small number may be anything
        lengths += [("a number in the function of its rate", each) for each in course.made.settings.get("counts", ())]
    for words, length in lengths:
        if (
            isinstance(length, int | float)
            and steps <= 0.6 * length
            and abs(length - updates) <= max(steps + 1 if words == name else 1, EXACT * updates)
        ):
            return (
                f"{words} is {length:g}, as many as the {updates} updates of the run, and it was stepped {steps} times"
            )
    return ""


def _cycle(course: Course) -> str:
    """A cycle, which torch counts in updates, that never came to its top, and would have in as many updates."""
    told = course.made.settings
    size, part = told.get("total_size"), told.get("step_ratio")
    if course.made.kind != "CyclicLR" or not isinstance(size, int | float) or not isinstance(part, int | float):
        return ""
    steps, updates = len(course.steps), len(course.updates)
    if not 2 * steps < size * part < updates:
        return ""
    return (
        f"its rate comes to its top after {size * part:g} steps; the run had {updates} updates and it was stepped "
        f"{steps} times, so it never did"
    )


def _rising(course: Course) -> tuple[str, Level]:
    """A warm-up that goes on to the end of the run and would be over, were it counted in updates."""
    rates, base = course.rates, course.made.settings.get("base_lrs")
    if not isinstance(base, tuple) or not base or len(rates) < 4 or course.made.kind in ("OneCycleLR", "CyclicLR"):
        return "", "advice"
    gains = [after - before for before, after in zip([course.start, *rates], rates, strict=False)]
    if min(gains) <= 0 or rates[-1] >= 0.8 * base[0]:
        return "", "advice"
    needed = (base[0] - course.start) / (sum(gains) / len(gains))
    if needed > len(course.updates):
        return "", "advice"
    told = (
        f"the rate rose at each of {len(rates)} steps, from {course.start:.4g} to {rates[-1]:.4g}, and never came to "
        f"its full value {base[0]:.4g}: at this pace that takes {needed:.0f} steps, and the run had "
        f"{len(course.updates)} updates"
    )
    sure = needed >= SURE or (len(rates) >= MANY and needed >= 3 * len(rates))
    return told, "error" if sure else "advice"


def _climbing(course: Course) -> tuple[str, Level]:
    """A straight warm-up that the run ended in, whatever its full value would have been."""
    rates, updates = [course.start, *course.rates], len(course.updates)
    gains = [after - before for before, after in pairwise(rates)]
    if len(gains) < 5 or updates < 5 * len(gains) or min(gains) <= 0 or max(gains) - min(gains) > 1e-3 * max(gains):
        return "", "advice"
    if course.made.kind not in ("LambdaLR", "LinearLR", "SequentialLR") or course.start > 2 * gains[0]:
        return "", "advice"
    told = (
        f"the rate rose by {gains[0]:.3g} at each of {len(gains)} steps, from {course.start:.4g} to {rates[-1]:.4g}: a "
        f"warm-up that {updates} updates did not come to the end of"
    )
    return told, "advice"


def _falling(course: Course) -> str:
    """A straight line or a cosine, perhaps behind a warm-up, that would come to zero with the run's updates."""
    rates, updates = [course.start, *course.rates], len(course.updates)
    top = rates.index(max(rates))
    tail = rates[top:]
    rising = all(after > before for before, after in pairwise(rates[: top + 1]))
    if (
        course.made.kind not in ("LambdaLR", "SequentialLR")
        or len(tail) < 5
        or not 0 < tail[-1] < tail[0]
        or not rising
    ):
        return ""
    steps, last = len(tail) - 1, tail[-1] / tail[0]
    shapes = {
        "line": (steps / (1 - last), lambda part: 1 - part),
        "cosine": (math.pi * steps / math.acos(2 * last - 1), lambda part: (1 + math.cos(math.pi * part)) / 2),
    }
    for name, (length, shape) in shapes.items():
        fits = all(abs(rate / tail[0] - shape(at / length)) < 1e-3 * (1 - last) for at, rate in enumerate(tail))
        if fits and abs(top + length - updates) <= NEAR * updates and len(course.steps) <= 0.6 * (top + length):
            return (
                f"the rate falls along a {name} that comes to zero after {top + length:.0f} steps, as many as the "
                f"{updates} updates of the run, and it was stepped {len(course.steps)} times: it ends at {tail[-1]:.4g}"
            )
    return ""


def _power(course: Course) -> str:
    """A factor that was made so that the run's updates bring the rate to a round part of itself."""
    factor, updates = course.made.settings.get("gamma"), len(course.updates)
    if course.made.kind != "ExponentialLR" or not isinstance(factor, float) or not 0 < factor < 1:
        return ""
    if round(factor, 4) == factor or len(course.steps) > 0.6 * updates:
        return ""
    for end in ENDS:
        for length in (updates - 1, updates, updates + 1):
            if abs(length * math.log(factor) - math.log(end)) < 1e-6:
                return (
                    f"its gamma {factor:.6g} to the power of {length} is {end:g}, and the run had {updates} updates; "
                    f"it was stepped {len(course.steps)} times, so the rate ends at {course.rates[-1]:.4g}"
                )
    return ""


def _still(course: Course) -> tuple[str, Level]:
    """A decay without a length that hardly moves with the steps, and does what a decay is for with the updates.

    A run of a few epochs that tries a recipe out has no more of its decay either.
    """
    rates, updates = [course.start, *course.rates], len(course.updates)
    if len(rates) <= FEW or min(rates) <= 0 or not all(after < before for before, after in pairwise(rates)):
        return "", "advice"
    left, factor = rates[-1] / rates[0], course.factor
    slopes = [1 / after - 1 / before for before, after in pairwise(rates)]
    if factor:
        whole, shape = factor**updates, f"by a factor of {factor:.6g}"
    elif course.made.kind == "LambdaLR" and max(slopes) - min(slopes) <= 1e-6 * max(slopes):
        whole, shape = 1 / (1 + slopes[0] * updates * rates[0]), "as one over the steps"
    else:
        return "", "advice"
    if left < HARDLY or not LEAST < whole < MUCH:
        return "", "advice"
    told = (
        f"each step lowers the rate {shape}: {len(rates) - 1} steps took it from {rates[0]:.4g} to {rates[-1]:.4g} "
        f"({100 * (1 - left):.2g} % less), the {updates} updates of the run would take it to {whole * rates[0]:.3g}"
    )
    return told, "error" if len(rates) > MANY else "advice"


def _unreached(course: Course) -> tuple[str, Level]:
    """Milestones that lie within the updates, and far beyond the steps."""
    told, updates, steps = course.made.settings, len(course.updates), len(course.steps)
    marks = told.get("milestones") if course.made.kind == "MultiStepLR" else (told.get("step_size"),)
    if course.made.kind not in ("MultiStepLR", "StepLR") or not isinstance(marks, tuple) or not marks:
        return "", "advice"
    lengths = [mark for mark in marks if isinstance(mark, int)]
    if len(lengths) < len(marks) or not 2 * steps < min(lengths) <= max(lengths) < updates:
        return "", "advice"
    shares = {math.floor(part * updates + 1e-6): part * updates for part in PARTS}
    cut = any(shares.get(mark, mark) - mark > 1e-3 for mark in lengths)  # whole parts may be those of the epochs too
    made = set(lengths) <= set(shares) and cut and any(mark % 5 for mark in lengths)
    made = made and (len(shares) / updates) ** len(set(lengths)) < CHANCE
    return (
        f"the rate would change at step {', '.join(map(str, lengths))}, the run had {updates} updates, and the "
        f"scheduler was stepped {steps} times: it never changed",
        "error" if made else "advice",
    )
