"""The best value is compared and never set, so every model that beats the first bound is kept.

What: `if acc > best_acc:` keeps the model and leaves `best_acc` as it was, or sets another name.

Or of several models in a row, as one a fold, each has to beat the best value of those before it: it is never set back.

Why: the last model that passes is kept and not the best one; or a model ends with the weights of another.

Evidence: the best value was the same each time that a model was kept, and a later kept model was worse than one kept
before it. Where each was better than the one before, as a loss that only falls, the source must not set the name
anywhere in the loop either, and the finding is a warning. For folds: a list has one and the same best score for two of
them with other held-out rows, and the later one never had it.

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

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from truestep.check.events import Number
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._guards import Guard, guards, kept, pair
from truestep.check.rules._inherited import inherited
from truestep.check.rules._left_over import left_over
from truestep.check.rules._readings import near
from truestep.check.trace import Trace

RULE = Rule("TS676", "best_never_updated", "the best value is never set", "error", "reporting")
OFTEN, HUGE = 3, 999
UNKNOWN = None, None


def look(trace: Trace) -> Iterator[Finding]:
    """Look at what was compared each time a model was kept."""
    for guard, message, evidence in left_over(trace):
        fix = f"set {guard.best} back, and let go of what was kept, before each run"
        yield found(RULE, guard.site, message, evidence, "a run is told by the weights of another", fix, "warning")
    for guard, message, evidence in inherited(trace):
        fix = f"set {guard.best} back before each fold"
        yield found(
            RULE, guard.site, message, evidence, "the mean over the folds is better than they are", fix, "warning"
        )
    for guard in guards(trace):
        if guard.sets:
            continue
        pairs = [pair(trace, event, guard) for event in kept(trace, guard)]
        pairs = [each for each in pairs if each != UNKNOWN]  # names were not taken down, or were gone by then
        first = None
        if len(pairs) > OFTEN and pairs[0][1] is None:  # the first one is kept in any case, and may be all that is set
            (first, _), *pairs = pairs
        values = [value for value, _ in pairs if value is not None]
        if len(values) < OFTEN or len(values) < len(pairs) or len({best for _, best in pairs}) != 1:
            continue
        bound = pairs[0][1]
        guard = _one_way(guard, bound)
        passed = bound is None or bound in (first, 0.0, -1.0) or abs(bound) >= HUGE or _first(trace, bound)
        told = _told(guard, values, passed) if guard.less is not None else ""
        if told:
            shown = "not a number" if bound is None else f"{bound:g}"
            yield found(
                RULE,
                guard.site,
                f"{guard.best} is compared and never set",
                f"it was {shown} each of the {len(values)} times that a model was kept{told}",
                "the last model that passes is kept, and not the best",
                f"set it where the model is kept: {guard.best} = {guard.value}",
                None if "replaced" in told else "warning",
            )


def _one_way(guard: Guard, bound: float | None) -> Guard:
    """Where the source has it both ways, as with a `mode`, what is bounded by infinity is to fall, or to rise."""
    both = guard.less is None and bound is not None and math.isinf(bound)
    return replace(guard, less=bound == math.inf) if both else guard


def _told(guard: Guard, values: list[float], passed: bool) -> str:
    """What the kept values say against it, where anything `passed` the bound; empty where they say nothing."""
    worse = [
        (before, after) for before, after in pairwise(values) if (after > before if guard.less else after < before)
    ]
    if passed and worse:
        before, after = worse[0]
        return f"; one with {guard.value} = {after:.4g} replaced one with {before:.4g}"
    if guard.idle and "best" in guard.best.lower() and len(set(values)) > 1:
        return f", and {guard.value} went from {values[0]:.4g} to {values[-1]:.4g}"
    return ""


def _first(trace: Trace, bound: float) -> bool:
    """Whether a bound was read from the model itself, as the value of the first epoch is, and set by nobody."""
    return any(number.value is not None and near(abs(number.value), abs(bound)) for number in trace.of(Number)) and (
        bound not in (0.0, 1.0)
    )
