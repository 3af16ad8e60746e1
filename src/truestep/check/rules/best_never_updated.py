"""The best value is compared and never set, so every model that beats the first bound is kept.

What: `if acc > best_acc:` keeps the model and leaves `best_acc` as it was, or sets another name.

Why: the last model that passes is kept and not the best one.

Evidence: the best value was the same each time that a model was kept, and a later kept model was worse than one kept
before it. Where each was better than the one before, as a loss that only falls, the source must not set the name
anywhere in the loop either, and the finding is a warning.

False alarms: a fixed bound of quality, as `if acc > 0.9`, stays the same on purpose; only bounds that anything passes
(zero, infinity, a huge number), or that were read from the model itself in the first epoch, are looked at.

Mend: set it inside the block: `best_acc = acc`.

Wrong:
    if acc > best_acc:
        best_model = copy.deepcopy(model)

Right:
    if acc > best_acc:
        best_acc = acc
        best_model = copy.deepcopy(model)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from truestep.check.events import Names, Number
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._guards import Guard, at, guards, kept, worth
from truestep.check.trace import Trace

RULE = Rule("TS676", "best_never_updated", "the best value is never set", "error", "reporting")
HUGE = 999


def look(trace: Trace) -> Iterator[Finding]:
    """Look at what was compared each time a model was kept."""
    for guard in guards(trace):
        if guard.sets:
            continue
        pairs = [pair for event in kept(trace, guard) if (names := at(trace, event)) and (pair := _pair(names, guard))]
        bounds = {best for _, best in pairs}
        values = [value for value, _ in pairs]
        if len(pairs) < 3 or len(bounds) != 1 or not (_open(*bounds) or _first(trace, *bounds)):
            continue
        worse = [
            (before, after) for before, after in pairwise(values) if (after > before if guard.less else after < before)
        ]
        told = f"it was {bounds.pop():g} each of the {len(values)} times that a model was kept"
        if worse:
            before, after = worse[0]
            told += f"; one with {guard.value} = {after:.4g} replaced one with {before:.4g}"
        elif guard.idle and "best" in guard.best.lower():
            told += f", and {guard.value} went from {values[0]:.4g} to {values[-1]:.4g}"
        else:
            continue
        yield found(
            RULE,
            guard.site,
            f"{guard.best} is compared and never set",
            told,
            "the last model that passes is kept, and not the best",
            f"set it where the model is kept: {guard.best} = {guard.value}",
            None if worse else "warning",
        )


def _pair(names: Names, guard: Guard) -> tuple[float, float] | None:
    value, best = worth(names, guard.value), worth(names, guard.best)
    return None if value is None or best is None else (value, best)


def _first(trace: Trace, bound: float) -> bool:
    """Whether a bound was read from the model itself, as the value of the first epoch is, and set by nobody."""
    return any(number.value == bound and number.how == "item" for number in trace.of(Number))


def _open(bound: float) -> bool:
    """Whether anything passes this bound."""
    return bound in (0.0, -1.0) or abs(bound) >= HUGE
