"""A run of the same script once more: with one mend in force, or with none and the numbers of all of them measured."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from truestep.check.changes import Backward, Step
from truestep.check.confirm import Rerun
from truestep.check.mends.trial import Trial
from truestep.check.rules import judge, rules
from truestep.check.trace import Trace
from truestep.check.watch import Watching

SEED = 0
MORE = 100


def seed() -> None:
    """Start all that draws from one state; a script that seeds draws what it always does."""
    import numpy as np

    random.seed(SEED)
    np.random.seed(SEED)
    torch.manual_seed(SEED)


class Again:
    """A watched rerun: `with again.watching() as seen: ...`, then `again.told()`."""

    def __init__(self, orders: list[dict[str, Any]], most: int | None) -> None:
        self._orders, self._seen = orders, Watching(most)
        self._trials = [Trial(self._seen.recorder, order) for order in orders]

    @contextmanager
    def watching(self) -> Iterator[Watching]:
        """Watch, with the mends in force outside the watch: it sees what they make of the run."""
        known = rules()
        with self._seen, ExitStack() as stack:
            for trial in self._trials:
                mend = known[trial.slug].mend
                if mend is not None and (trial.live or mend.measures):
                    for each in mend.force(trial):
                        stack.enter_context(each)
            yield self._seen

    @staticmethod
    def most(trace: Trace) -> int:
        """Updates after which a rerun of this run is stopped: a mend may keep a loop from ever being content."""
        return 2 * max(trace.updates_made, len(trace.backwards())) + MORE

    def told(self) -> dict[str, Any]:
        """What was measured, as plain values."""
        trace, known = self._seen.trace, rules()
        for trial in self._trials:
            mend = known[trial.slug].mend
            if mend is not None:
                mend.measure(trial, trace)
        found = judge(trace, {trial.slug for trial in self._trials})
        place = self._trials[0].place if len(self._trials) == 1 else None
        return {
            "updates": trace.updates_made,
            "findings": sorted({(one.name, one.file, one.line) for one in found}),
            "common": numbers(trace, place),
            "trials": [
                {"acted": each.acted, "series": numbers(trace, each.place, common=False) | each.series}
                for each in self._trials
            ],
        }


def read(told: dict[str, Any]) -> Rerun:
    """What a rerun told, read from JSON."""
    return Rerun(
        told["updates"],
        frozenset((name, file, line) for name, file, line in told["findings"]),
        _pairs(told["common"]),
        tuple(each | {"series": _pairs(each["series"])} for each in told["trials"]),
    )


def _pairs(series: dict[str, Any]) -> dict[str, list[tuple[int, float]]]:
    return {name: [(update, value) for update, value in held] for name, held in series.items()}


def numbers(trace: Trace, place: tuple[str, int] | None, common: bool = True) -> dict[str, list[tuple[int, float]]]:
    """The numbers of any run, each with the updates made until then.

    "all" are the values of all losses that were differentiated; "loss" and "gradient" those of the passes at a line,
    where there are any, else of the line with most passes; "step" the length of each update, "used" the norm of the
    gradient that it used, "rate" its rate.
    """
    passes = [event for event in trace.backwards() if event.close and event.roots and not event.seeded]
    found = {"all": [(event.update, _mean(event)) for event in passes if event.roots[0].values]} if common else {}
    lines = Counter(event.site.place for event in passes)
    line = place if place in lines else max(lines, key=lambda each: lines[each], default=None)
    mine = [event for event in passes if event.site.place == line]
    found["loss"] = [(event.update, _mean(event)) for event in mine if event.roots[0].values]
    found["gradient"] = [(event.update, _norm(leaf.after for leaf in event.leaves)) for event in mine]
    steps = [event for event in trace.of(Step) if event.close and not event.nested]
    found["step"] = [(step.update, math.hypot(*(one.change for one in step.moved))) for step in steps]
    found["used"] = [(step.update, _norm(one.grad for one in step.moved)) for step in steps]
    found["rate"] = [(step.update, step.rates[0]) for step in trace.of(Step) if step.rates and not step.nested]
    return found


def _mean(event: Backward) -> float:
    values = event.roots[0].values
    return values.mean if values is not None else math.nan


def _norm(digests: Any) -> float:
    return math.hypot(*(each.norm for each in digests if each is not None))
