"""How schedulers moved beside their optimizers' updates: what rules of schedules ask alike."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from truestep.check.changes import SchedulerMade, SchedulerStep, Step
from truestep.check.events import Mode, Op, Printed, Shuffled
from truestep.check.trace import Trace

PARTS = ("SequentialLR", "ChainedScheduler")
"""Schedulers that step others."""
EXACT = 1e-9


class Course(NamedTuple):
    """A scheduler, the steps that it was given, and the updates of its optimizer since it was built."""

    made: SchedulerMade
    steps: tuple[SchedulerStep, ...]
    updates: tuple[Step, ...]

    @property
    def name(self) -> str:
        """What a finding calls it."""
        return f"{self.made.kind} is stepped" if self.made.scheduler else "the rate is set by hand"

    @property
    def between(self) -> float:
        """Updates between two of its steps, in the median; 0 without two steps."""
        places = [sum(1 for update in self.updates if update.n < step.n) for step in (self.steps[0], self.steps[-1])]
        return (places[1] - places[0]) / (len(self.steps) - 1) if len(self.steps) > 1 else 0.0

    @property
    def rates(self) -> list[float]:
        """The first group's rate behind each step."""
        return [step.after[0] for step in self.steps if step.after]

    @property
    def start(self) -> float:
        """The first group's rate before the first step."""
        return self.steps[0].before[0] if self.steps and self.steps[0].before else 0.0

    @property
    def factor(self) -> float:
        """What each step made of the rate, where it was the same at all of them; 0 where it was not."""
        rates = [self.start, *self.rates]
        if len(rates) < 4 or min(rates) <= 0:
            return 0.0
        shares = [after / before for before, after in pairwise(rates)]
        return shares[0] if max(shares) - min(shares) <= EXACT else 0.0


def courses(trace: Trace) -> list[Course]:
    """Every scheduler of the run."""
    steps: dict[int, list[SchedulerStep]] = defaultdict(list)
    updates: dict[int, list[Step]] = defaultdict(list)
    for step in trace.of(SchedulerStep):
        steps[step.scheduler].append(step)
    for update in trace.of(Step):
        if not update.nested:
            updates[update.optimizer].append(update)
    found = []
    for made in trace.of(SchedulerMade):
        own = tuple(each for each in updates[made.optimizer] if each.n > made.n)
        found.append(Course(made, tuple(steps[made.scheduler]), own))
    return found


def by_hand(trace: Trace) -> list[Course]:
    """The rates that programs set themselves, of optimizers without a scheduler: as if one stepped at each change.

    Only where they change after so many updates each time.
    """
    scheduled = {event.optimizer for event in trace.of(SchedulerMade)}
    made = {number: events[0] for number, events in trace.optimizers().items() if number not in scheduled}
    updates: dict[int, list[Step]] = defaultdict(list)
    for update in trace.of(Step):
        if update.optimizer in made and not update.nested and update.rates:
            updates[update.optimizer].append(update)
    found = []
    for number, own in updates.items():
        start = made[number]
        facts = {"update": start.update, "close": False, "kind": "LambdaLR", "scheduler": 0, "optimizer": number}
        base = tuple(group.get("lr") for group in start.groups)
        whole = SchedulerMade(n=start.n, site=start.site, settings={"base_lrs": base}, **facts)
        pairs = [(at, *pair) for at, pair in enumerate(pairwise(own)) if pair[0].rates[0] != pair[1].rates[0]]
        steps = [
            SchedulerStep(n=after.began, site=after.site, metric=None, before=before.rates, after=after.rates, **facts)
            for _, before, after in pairs
        ]
        if len({later[0] - one[0] for one, later in pairwise(pairs)}) == 1:
            found.append(Course(whole, tuple(steps), tuple(own)))
    return found


def epoch(trace: Trace, sure: bool = False) -> float:
    """Updates in an epoch: between the starts of passes over data, or what else comes once an epoch; 0 if unknown.

    Where it must be `sure`, lines that are printed do not count: they may come after so many updates of one long pass.
    """
    starts = [one.start.update for one in trace.passes() if one.batches and one.batches[-1].update > one.start.update]
    marks: dict[tuple[str, int], list[int]] = defaultdict(list)
    printed: dict[tuple[str, int], list[int]] = defaultdict(list)
    for event in trace.of(Op, Shuffled, Mode, Printed):
        if isinstance(event, Printed):
            printed[event.site.place].append(event.update)
        elif event.name == "randperm" if isinstance(event, Op) else isinstance(event, Shuffled) or event.training:
            marks[event.site.place].append(event.update)
    for places in (starts, *marks.values(), *(() if sure else printed.values())):
        gaps = [after - before for before, after in pairwise(places) if after > before]
        if gaps and median(gaps) > 1:
            return float(median(gaps))
    return 0.0
