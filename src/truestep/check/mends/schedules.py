"""Mends of schedules: steps of a scheduler left out, done more often or less often, and the mode of a plateau."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

from torch.optim import Optimizer, lr_scheduler
from torch.optim.optimizer import register_optimizer_step_post_hook

from truestep.check.changes import SchedulerMade, SchedulerStep
from truestep.check.finding import Finding
from truestep.check.mends import LOSS, Claim, Mend
from truestep.check.mends.trial import Trial
from truestep.check.patches import hooked, replaced
from truestep.check.rules._courses import courses, epoch
from truestep.check.trace import Trace

RATES = Claim("rate", "the rate of an update is on average", "other", "mean")


def _replaced(name: str, around: Callable[..., Any]) -> Iterator[Any]:
    for kind in vars(lr_scheduler).values():
        if isinstance(kind, type) and issubclass(kind, lr_scheduler.LRScheduler) and name in vars(kind):
            yield replaced(kind, name, around)


def _steps(trial: Trial, wanted: Callable[[Any], bool]) -> Iterator[Any]:
    """Leave out steps of schedulers that are not wanted, of those asked for at the line of the finding themselves."""
    inside = [False]

    def step(run: Any, one: Any, *args: Any, **words: Any) -> Any:
        if inside[0] or not trial.recorder.awake or not trial.at():
            return run(one, *args, **words)
        if not wanted(one):
            trial.acted += 1
            return None
        inside[0] = True
        try:
            return run(one, *args, **words)
        finally:
            inside[0] = False

    yield from _replaced("step", step)


class FirstLeftOut(Mend):
    """Each step comes where the next one stood: behind the updates that it came before."""

    words = "each step of the scheduler behind the updates that it comes before"
    claims = (RATES, LOSS)

    def force(self, trial: Trial) -> Iterator[Any]:
        """Leave out the first step of each scheduler."""
        known: weakref.WeakSet[Any] = weakref.WeakSet()

        def wanted(one: Any) -> bool:
            first = one not in known
            known.add(one)
            return not first

        yield from _steps(trial, wanted)


class OnceAnEpoch(Mend):
    """One step of the scheduler in so many."""

    words = "one step of the scheduler an epoch"
    claims = (RATES, LOSS)

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """How many of its steps make an epoch."""
        size = epoch(trace)
        for course in courses(trace):
            if course.steps and course.steps[0].site.place == finding.site.place and size and course.updates:
                each = round(size * len(course.steps) / len(course.updates))
                return {"each": each} if each > 1 else None
        return None

    def force(self, trial: Trial) -> Iterator[Any]:
        """Let one in so many through."""
        counts: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

        def wanted(one: Any) -> bool:
            counts[one] = counts.get(one, 0) + 1
            return counts[one] % trial.facts["each"] == 0

        yield from _steps(trial, wanted)


class WithEachUpdate(Mend):
    """The scheduler steps with each update of its optimizer, and at no other time."""

    words = "a step of the scheduler after each update"
    claims = (RATES, LOSS)

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """Where the scheduler is built."""
        steps = {e.scheduler for e in trace.of(SchedulerStep) if e.site.place == finding.site.place}
        made = {e.site.place for e in trace.of(SchedulerMade) if e.scheduler in steps}
        return {"made": sorted(map(list, made))} if made else None

    def force(self, trial: Trial) -> Iterator[Any]:
        """Step it."""
        schedulers: weakref.WeakSet[Any] = weakref.WeakSet()

        def made(run: Any, one: Any, *args: Any, **words: Any) -> None:
            run(one, *args, **words)
            if trial.at(*trial.facts["made"]):
                schedulers.add(one)

        def after(one: Optimizer, args: Any, words: Any) -> None:
            for each in list(schedulers):
                if each.optimizer is one:
                    trial.acted += 1
                    each.step()

        yield from _replaced("__init__", made)
        yield hooked(register_optimizer_step_post_hook(after))
        yield from _steps(trial, lambda one: False)


class OtherMode(Mend):
    """The plateau scheduler looks the other way."""

    words = "the other mode of the plateau scheduler"
    claims = (Claim("rate", "the rate ends at", "other", "last"), LOSS)

    def force(self, trial: Trial) -> Iterator[Any]:
        """Build it so."""

        def made(run: Any, one: Any, optimizer: Any, mode: str = "min", *args: Any, **words: Any) -> None:
            if trial.recorder.awake and trial.at():
                trial.acted += 1
                mode = "max" if mode == "min" else "min"
            run(one, optimizer, mode, *args, **words)

        yield replaced(lr_scheduler.ReduceLROnPlateau, "__init__", made)
