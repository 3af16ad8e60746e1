"""What several rules ask of a record."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable

from truestep.check.changes import StateLoaded
from truestep.check.looks import Digest
from truestep.check.trace import Trace


def loaded(trace: Trace) -> set[int]:
    """The parameters that were loaded from a state."""
    loads = [event for event in trace.of(StateLoaded) if event.of == "module" and event.matched]
    return {number for load in loads if load.owner in trace.modules
            for number in trace.modules[load.owner].parameters.values()}  # fmt: skip


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
    places = [update.at.n for update in trace.updates()]
    return lambda n: bisect_right(places, n)
