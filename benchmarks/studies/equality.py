"""Whether a contender takes the careful loop's steps: exactly in float64, and in float32 with no larger errors."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch

from studies import loops
from studies.study import Study
from truestep.sweep.programs import MANY

EXACT = 1e-12
"""How far a step may lead away from the loop's in float64, by the largest entry of a parameter."""
NEAR = 1e-6
"""The same in float32, for parameters in which the loop itself is that near to float64."""
AS_GOOD = 4.0
"""How many times the loop's own error in float32 a contender's may be.

Sums in another order have errors of the same size, and of many the largest seldom differ by more than 2. What computes
less exactly is far beyond: TF32 keeps 13 bits less, a factor of 8,000.
"""
ROUNDING = torch.finfo(torch.float32).eps
"""The error that the loop is granted at the least: it may hit upon the float64 result by chance."""
CHECKED = (0, 1, 2, 7)
"""Which steps are compared."""
VARIANTS = 128
"""How many variants are, at the most."""
SEVERAL = 16
"""How many are after several steps."""


@dataclass
class Equality:
    """The worst of all variants, parameters and steps, each by the largest entry of its parameter."""

    float64: float
    """Away from the loop's step in float64."""
    error: float
    """The contender's error in float32, in units of the loop's own in the same parameter."""
    float32: float
    """Away from the loop's step in float32, where the loop is within half of `NEAR` of float64; else not judged."""

    @property
    def holds(self) -> bool:
        return self.float64 <= EXACT and self.error <= AS_GOOD and self.float32 <= NEAR

    def row(self) -> dict[str, Any]:
        return {"float64": self.float64, "float32_error": self.error, "float32": self.float32, "equal": self.holds}


def in_double(study: Study) -> Study:
    """The same study in float64, from the same float32 start."""
    data = (study.data[0].double(), study.data[1].double() if study.data[1].is_floating_point() else study.data[1])
    return replace(study, data=data, model=lambda: study.model().double())


def judged(study: Study, way: Any, make: Callable[[Study], Any], wide: Callable[[], Any] = nullcontext) -> Equality:
    """Compare `way`, and what `make` makes of the study in float64 (inside the context `wide`), with careful steps."""
    double = in_double(study)
    with wide():
        other = make(double)
        exact = max(apart(own, step) for _, own, step in steps(double, other))
        if hasattr(other, "several"):
            exact = max(exact, after_several(double, other))
    errors: dict[str, tuple[float, float]] = {}
    direct: dict[str, float] = {}
    for (point, before, row), own, step in steps(study, way):
        wanted = loops.one_step(double, point, {name: each.double() for name, each in before.items()}, row)
        for name, each in wanted.items():
            found = off(own[name], each), off(step[name], each)
            errors[name] = tuple(map(max, errors.get(name, found), found))  # type: ignore[assignment]
            direct[name] = max(direct.get(name, 0.0), off(step[name], own[name]))
    ratio = max(theirs / max(loop, ROUNDING) for loop, theirs in errors.values())
    sound = [direct[name] for name, (loop, _) in errors.items() if loop < NEAR / 2]
    return Equality(exact, round(ratio, 2), max(sound, default=0.0))


def steps(study: Study, way: Any) -> Iterator[tuple[Any, loops.Weights, loops.Weights]]:
    """`((settings, weights before, samples), weights after a careful step, after a step of the contender)`."""
    before = {name: each.clone() for name, each in way.begin().items()}
    order = torch.stack([study.order(seed, 1) for seed in study.seeds])
    rows = order.split(study.batch_size, 1)
    places = range(0, len(study.points), max(1, len(study.points) // VARIANTS))
    for number in range(max(CHECKED) + 1):
        row = rows[number % len(rows)].contiguous()
        after = {name: each.clone() for name, each in way.step(row).items()}
        for place in places if number in CHECKED else ():
            own = {name: each.flatten(0, 1)[place] for name, each in before.items()}
            samples, point = row[place // study.shape[1]], study.points[place]
            stepped = {name: each.flatten(0, 1)[place] for name, each in after.items()}
            yield (point, own, samples), loops.one_step(study, point, own, samples), stepped
        before = after


def after_several(study: Study, way: Any) -> float:
    """How far several steps in one call lead away from as many careful ones; only in float64 do they stay together."""
    start = {name: each.clone() for name, each in way.begin().items()}
    rows = torch.stack([study.order(seed, 1) for seed in study.seeds]).split(study.batch_size, 1)
    rows = torch.stack([rows[k % len(rows)] for k in range(MANY)])
    found, worst = way.several(rows), 0.0
    for place in range(0, len(study.points), max(1, len(study.points) // SEVERAL)):
        own = {name: each.flatten(0, 1)[place] for name, each in start.items()}
        for row in rows[:, place // study.shape[1]]:
            own = loops.one_step(study, study.points[place], own, row)
        worst = max(worst, apart(own, {name: each.flatten(0, 1)[place] for name, each in found.items()}))
    return worst


def apart(own: loops.Weights, step: loops.Weights) -> float:
    return max(off(step[name], each) for name, each in own.items())


def off(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found.double() - wanted.double()).abs().max() / wanted.double().abs().max())
