"""A schedule that counts epochs is stepped for every batch.

What: `scheduler.step()` stands in the loop over batches, and the schedule's lengths were meant in epochs; or it is
stepped several times for each update, or twice at the end of each epoch; or a cosine is over in the midst of the run.

Why: a decay is over after the first epoch and the rest of the training has no rate to speak of; a cosine swings up and
down instead of falling once.

Evidence: the scheduler's steps against the optimizer's updates, and the rates that came of it.

False alarms: schedules that are counted in updates are stepped for each, but keep their rate for most of the run and
are at their end when the run is. Cosines with restarts, and one whose period is longer than an epoch, swing on
purpose. A factor that brings the rate to next to nothing at the end alone is worth a word of advice; where less than
a hundredth is left for the last two fifths of several epochs, nobody chose it so.

Mend: move `scheduler.step()` out of the loop over batches, or count the lengths in batches.

Wrong:
    scheduler = StepLR(optimizer, step_size=5)
    for epoch in range(epochs):
        for x, y in loader:
            update(x, y)
            scheduler.step()

Right:
    scheduler = StepLR(optimizer, step_size=5)
    for epoch in range(epochs):
        for x, y in loader:
            update(x, y)
        scheduler.step()
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from truestep.check.changes import SchedulerMade
from truestep.check.finding import Finding, Level, Rule
from truestep.check.mends.schedules import OnceAnEpoch
from truestep.check.rules import found
from truestep.check.rules._courses import EXACT, Course, by_hand, courses, epoch
from truestep.check.rules._doubled import doubled, risen
from truestep.check.rules._facts import complete
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS742", "schedule_by_batch", "a schedule of epochs stepped by batches", "error", "schedules")
MENDING = OnceAnEpoch()
FEW = 20
NOTHING = 1e-3
MOST_OF = 0.6
SOON = 0.2


def look(trace: Trace) -> Iterator[Finding]:
    """Look at what became of the rate where the scheduler moves with every update."""
    size, known, told = epoch(trace), epoch(trace, sure=True), set[int]()
    for course in by_hand(trace):
        evidence = _set(course, known)
        if evidence:
            yield _told(course, f"{len(course.steps)} changes of the rate in {len(course.updates)} updates; {evidence}")
    for course in courses(trace):
        if len(course.updates) >= FEW and len(course.steps) >= FEW and course.between <= 1.25:
            evidence = _several(course) or _swings(trace, course, size) or _spent(course, size) or _marks(course, size)
            evidence, level = evidence or _stairs(course, known), RULE.level
            if not evidence:
                evidence, level = _fast(course, size, size == known)
            if evidence:
                told.add(course.made.scheduler)
                steps = f"{len(course.steps)} steps of the scheduler in {len(course.updates)} updates"
                yield _told(course, f"{steps}; {evidence}", level)
    for course in courses(trace):
        evidence = doubled(trace, course) or (risen(course) if complete(trace) else "")
        if evidence and course.made.scheduler not in told:
            yield found(
                RULE,
                course.steps[-1].site,
                f"{course.name} more often than its lengths are meant for",
                evidence,
                "the schedule is over before the training is",
                "step the scheduler once where its lengths are counted, and give it the length of the run",
                "warning",
                {"edit": True, "optimizer": course.made.optimizer},
            )


def _told(course: Course, evidence: str, level: Level | None = None) -> Finding:
    return found(
        RULE,
        course.steps[0].site,
        f"{course.name} for every batch" if course.made.scheduler else f"{course.name} in batches",
        evidence,
        "lengths that were meant in epochs pass in as many batches",
        "step the scheduler once an epoch, or count its lengths in batches",
        level,
        {"optimizer": course.made.optimizer},
    )


def _set(course: Course, size: float) -> str:
    """Stairs or a decay by hand, several steps in each epoch, that leave next to nothing for much of the run."""
    factor, epochs = course.factor, len(course.updates) / size if size else 0.0
    if not 0 < factor < 1 or abs(round(factor, 2) - factor) > EXACT or epochs < 3 or course.between > size / 2:
        return ""
    later = course.updates[int(MOST_OF * len(course.updates))].rates[0]
    if later >= 1e-2 * course.start:
        return ""
    return (
        f"times {factor:.2g} after {plural(round(course.between), 'update')} each took it from {course.start:.4g} to "
        f"{later:.3g} before the last two fifths of the run, whose {epochs:.3g} epochs have {size:g} updates each"
    )


def _several(course: Course) -> str:
    if 0 < course.between < 0.6:
        return f"it moves {1 / course.between:.3g} times for each update"
    return ""


def _swings(trace: Trace, course: Course, size: float) -> str:
    """A cosine without restarts that came up again, its period shorter than an epoch or as long as there are epochs.

    It may follow a warm-up as a part of the scheduler that is stepped.
    """
    parts = [made for made in trace.of(SchedulerMade) if made.optimizer == course.made.optimizer]
    cosines = [made for made in parts if made.kind == "CosineAnnealingLR"]
    if course.made.kind not in ("CosineAnnealingLR", "SequentialLR") or len(cosines) != 1 or not size:
        return ""
    period = cosines[0].settings.get("T_max")
    if not isinstance(period, int | float) or period < 1:
        return ""
    epochs = len(course.updates) / size
    short = period < size or period <= round(epochs) + 1
    rates = course.rates[course.rates.index(max(course.rates)) :]
    risen = sum(after > before for before, after in pairwise(rates))
    if short and len(rates) > 1.5 * period and risen > period / 4:
        return (
            f"its T_max is {period:g}, an epoch has {size:g} updates and the run {epochs:.3g} epochs: "
            f"the rate rose again at {plural(risen, 'step')}"
        )
    return ""


def _marks(course: Course, size: float) -> str:
    """Milestones that all lie in the first of several epochs, none beyond their number."""
    marks = course.made.settings.get("milestones")
    if course.made.kind != "MultiStepLR" or not isinstance(marks, tuple) or not marks or not size:
        return ""
    epochs = round(len(course.updates) / size)
    if marks[-1] <= epochs <= 4 * marks[0] and marks[-1] < SOON * len(course.updates):
        return (
            f"its milestones {', '.join(map(str, marks))} lie within its {epochs} epochs, and of its "
            f"{len(course.updates)} updates they are the first few"
        )
    if not all(isinstance(mark, int) and 1 < mark <= min(epochs, 0.8 * size) for mark in marks) or epochs < 3:
        return ""
    told = ", ".join(map(str, marks))
    return f"its milestones {told} were all passed in the first of {epochs} epochs of {size:g} updates"


def _fast(course: Course, size: float, sure: bool) -> tuple[str, Level]:
    """A factor as epochs have them, which the updates of several epochs bring to next to nothing."""
    factor, rates = course.factor, course.rates
    epochs = len(course.updates) / size if size else 0.0
    if not 0 < factor < 1 or epochs < 3 or abs(round(factor, 2) - factor) > EXACT:
        return "", "advice"
    gone = sure and rates[int(MOST_OF * len(rates))] < 1e-2 * course.start
    if not gone and (factor > 0.95 or not 0 < rates[-1] < 1e-2 * course.start):
        return "", "advice"
    return (
        f"its factor {factor:.2g} brings the rate from {course.start:.4g} to {rates[-1]:.3g}; once an epoch, for "
        f"{epochs:.3g} epochs, it would come to {course.start * factor**epochs:.3g}"
    ), "error" if gone else "advice"


def _stairs(course: Course, size: float) -> str:
    """Stairs as epochs have them, several in each epoch, that bring the rate far down."""
    length, epochs = course.made.settings.get("step_size"), len(course.updates) / size if size else 0.0
    if course.made.kind != "StepLR" or not isinstance(length, int) or not 1 < length <= min(size / 2, epochs + 0.5):
        return ""
    if epochs < 3 or not 0 < course.rates[-1] < 0.1 * course.start:
        return ""
    return (
        f"its step_size is {length}, an epoch has {size:g} updates and the run {epochs:.3g} epochs: the rate fell "
        f"from {course.start:.4g} to {course.rates[-1]:.3g}"
    )


def _spent(course: Course, size: float) -> str:
    """A rate that was gone early and never came back."""
    rates, start = course.rates, course.start
    if start <= 0 or course.made.kind in ("OneCycleLR", "CyclicLR"):
        return ""
    half = len(rates) // 2
    spent = next((place for place, rate in enumerate(rates) if max(rates[place:]) <= NOTHING * start), len(rates))
    first = int(size)
    early = 0 < first < half and max(rates[first:]) <= 10.01 * NOTHING * start
    length = course.made.settings.get("step_size")
    stairs = course.made.kind == "StepLR" and isinstance(length, int) and length < size and spent <= 0.75 * len(rates)
    if spent <= half or early or stairs:
        place = min(spent, first) if early else spent
        return f"the rate fell from {start:.4g} to {rates[place]:.3g} in {place + 1} steps and stayed below"
    return ""
