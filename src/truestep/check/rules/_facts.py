"""What several rules ask of a record."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from truestep.check.changes import Backward, Clear, Scaler, StateLoaded, Step
from truestep.check.events import Names
from truestep.check.looks import Digest, Seen
from truestep.check.trace import LOSSES, Trace

MANY = 24
"""Optimizers of one line that are looked at."""


def loaded(trace: Trace) -> set[int]:
    """The parameters that were loaded from a state."""
    loads = [event for event in trace.of(StateLoaded) if event.of == "module" and event.matched]
    return {number for load in loads if load.owner in trace.modules
            for number in trace.modules[load.owner].parameters.values()}  # fmt: skip


def stepping(trace: Trace, least: int) -> list[int]:
    """The optimizers that stepped so often: some programs build a new one for every step.

    Of those that one line builds, as for each task of many, the first ones: the others do the same.
    """
    steps, built = Counter(step.optimizer for step in trace.of(Step)), Counter[object]()
    found: list[int] = []
    for optimizer, made in trace.optimizers().items():
        if steps[optimizer] >= least and built[made[0].site.place] < MANY:
            built[made[0].site.place] += 1
            found.append(optimizer)
    return found


def held(trace: Trace) -> set[int]:
    """The parameters that any optimizer holds."""
    return set().union(*(trace.held(optimizer) for optimizer in trace.optimizers()))


def constant(look: Digest | None, shape: tuple[int, ...]) -> float | None:
    """The one value that all elements have; None where they differ, or are fewer than two."""
    size = math.prod(shape)
    if look is None or size < 2 or not math.isfinite(look.norm):
        return None
    value = look.total / size
    # the norm of equal elements is the square root of n times their size, of others it is more
    return value if abs(look.norm - abs(value) * math.sqrt(size)) <= 1e-7 * look.norm else None


def moments(trace: Trace) -> Callable[[int], int]:
    """How many updates, by optimizers or by hand, came before event `n`."""
    places = trace.once(_places)
    return lambda n: bisect_right(places, n)


def _places(trace: Trace) -> list[int]:
    return [update.at.n for update in trace.updates()]


class Scale(NamedTuple):
    """How a root was made of its loss: the plain numbers that it was multiplied by, and how the loss was reduced."""

    factor: float
    reduction: str
    name: str


def scale(trace: Trace, root: Seen, before: int) -> Scale | None:
    """What stands between a loss and the root of its backward pass; None where that cannot be told."""
    factor = 1.0
    scaled = any(event.how == "scale" and event.enabled for event in trace.of(Scaler))
    for op in trace.chain(root, before):
        if op.name in LOSSES:
            return Scale(factor, str(op.words.get("reduction", "mean")), op.name)
        if op.name in ("mean", "sum"):
            return Scale(factor, op.name, op.name)
        if op.name in ("mul", "div", "mul_", "div_"):
            number = next((one for one in op.args if isinstance(one, int | float)), None)
            if number is None and not scaled:
                return None
            if number:
                factor = factor * number if op.name.startswith("mul") else factor / number
    return None


@dataclass(slots=True)
class Window:
    """Backward passes of one optimizer up to its step, or up to what wiped them out."""

    passes: list[Backward] = field(default_factory=list)
    step: Step | None = None
    clear: Clear | None = None


def windows(trace: Trace, optimizer: int) -> list[Window]:
    """The passes that reach an optimizer's parameters, in windows that end with its step, a clearing, or the run."""
    mine = trace.held(optimizer)
    places = {
        event.site.place
        for event in trace.backwards()
        if any(leaf.number in mine and leaf.after is not None for leaf in event.leaves)
    }
    found, open_one = [], Window()
    for event in trace.of(Backward, Clear, Step):
        if isinstance(event, Backward):
            if event.how == "backward" and not event.nested and event.site.place in places:
                open_one.passes.append(event)
        elif isinstance(event, Clear):
            if open_one.passes and any(number in mine and norm != 0 for number, norm in event.held):
                open_one.clear = event
                found.append(open_one)
                open_one = Window()
        elif event.optimizer == optimizer:
            open_one.step = event
            found.append(open_one)
            open_one = Window()
    return [*found, open_one] if open_one.passes else found


def complete(trace: Trace) -> bool:
    """Whether the program came to its own end: where an error, Ctrl-C or `--steps` broke it off, more was to follow."""
    return not trace.broken and any(names.when == "end" for names in trace.of(Names))
