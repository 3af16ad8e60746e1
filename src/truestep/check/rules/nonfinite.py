"""NaN or infinity reached the weights.

What: an update made weights NaN or infinite, from a loss or a gradient that was so; or updates are made after losses
that are NaN. Here is the operation where it was born.

Why: from then on every output is NaN, and nothing that is trained further means anything.

Evidence: weights that were finite before an update and are not after it; and the first operation behind that loss
whose inputs were finite and whose result was not, or, where the loss was finite, one whose derivative is infinite at an
input that was seen there: a root or a norm at zero, a logarithm at zero.

False alarms: infinities that are wanted, as in a mask before a softmax, reach no weights. Steps that a GradScaler or
the user leaves out change none.

Mend: `log_softmax` for the logarithm of a softmax; a small number added below a root, a division or a logarithm; or,
where the weights grew without bound, a smaller rate.

Wrong:
    loss = -(onehot * torch.log(torch.softmax(logits, 1))).sum(1).mean()

Right:
    loss = -(onehot * torch.log_softmax(logits, 1)).sum(1).mean()
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from truestep.check.changes import Backward, Scaler, Step
from truestep.check.events import Batch, Event, Forward, Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Digest, Seen
from truestep.check.rules import found
from truestep.check.site import Site
from truestep.check.trace import Trace

RULE = Rule("TS344", "nonfinite", "NaN or infinity in the weights", "error", "losses")
SINGULAR = {
    **dict.fromkeys(("sqrt", "rsqrt", "log", "pow", "div", "reciprocal", "log2", "log10"), (0.0,)),
    **dict.fromkeys(("acos", "asin"), (-1.0, 1.0)),
}
"""Calls with an infinite derivative somewhere, and where."""
MEND = {
    "log": "use log_softmax or logsigmoid for the logarithm of a probability, or clamp its input away from zero",
    "div": "add a small number to the denominator",
    "overflow": "make the rate smaller, or clip the gradients",
    "data": "look for missing values in the data, and fill or drop them",
}
HUGE = 1e15
OFTEN = 5  # updates after a loss that is NaN
SHIFT = "add a small number below it, or clamp its input away from the point"


class Birth(NamedTuple):
    """Where a value that is not finite came from."""

    site: Site
    what: str
    mend: str


def look(trace: Trace) -> Iterator[Finding]:
    """Look for the update that made weights NaN or infinite, and for what was behind it."""
    struck = _struck(trace)
    if struck is None:
        yield from _unspoiled(trace)
        return
    event, number, passed = struck
    birth = _born(trace, passed) if passed is not None else None
    if birth is None:
        birth = Birth((passed or event).site, "where it was born was not looked at", MEND["overflow"])
    name = trace.names.get(number, "a weight")
    loss = passed.roots[0].values if passed is not None and passed.roots else None
    told = "" if loss is None else f"; the loss before it was {loss.mean:.4g}"
    yield found(
        RULE,
        birth.site,
        f"a value that is not finite is born here and reaches {name}",
        f"{birth.what}; update {event.update} on line {event.site.line} made {name} NaN or infinite{told}",
        "from then on every output is NaN, and no further training means anything",
        birth.mend,
        facts={"since": event.update, "overflow": birth.mend == MEND["overflow"]},
    )


def _unspoiled(trace: Trace) -> Iterator[Finding]:
    """Losses that are NaN again and again, and steps after them, though no weight has become so."""
    if any(event.enabled for event in trace.of(Scaler)):
        return
    passes = [update.backwards[-1] for update in trace.updates() if update.step is not None and update.backwards]
    lost = [
        one for one in passes if len(one.roots) == 1 and one.roots[0].values and math.isnan(one.roots[0].values.mean)
    ]
    birth = _born(trace, lost[0]) if len(lost) >= OFTEN else None
    if birth is not None:
        yield found(
            RULE, birth.site, "a value that is not finite is born here and makes the loss NaN",
            f"{birth.what}; the loss was NaN at {len(lost)} of {len(passes)} updates looked at, though the weights "
            "stayed finite",
            "what is reported is no loss, and the samples behind it teach nothing or anything", birth.mend, "warning",
        )  # fmt: skip


def _struck(trace: Trace) -> tuple[Event, int, Backward | None] | None:
    """The first event that shows a weight that was finite and is not, the weight, and the last pass before."""
    finite: set[int] = set()
    last: Backward | None = None
    for event in trace.of(Backward, Step):
        weights: list[tuple[int, Digest | None]] = []
        if isinstance(event, Step):
            finite |= {one.number for one in event.moved if _fine(one.before)}
            weights = [(one.number, one.after) for one in event.moved]
        else:
            weights = [(leaf.number, leaf.weight) for leaf in event.leaves]
        for number, weight in weights:
            if weight is not None and not _fine(weight) and number in finite:
                return event, number, last
        finite |= {number for number, weight in weights if _fine(weight)}
        if isinstance(event, Backward) and not event.nested:
            last = event
    return None


def _fine(digest: Digest | None) -> bool:
    return digest is not None and math.isfinite(digest.norm) and math.isfinite(digest.total)


def _born(trace: Trace, passed: Backward) -> Birth | None:
    """The operation where it was born: in the forward, or else in the derivative."""
    behind = sorted(_all_behind(trace, passed), key=lambda op: op.n)
    root = passed.roots[0].values if passed.roots else None
    born = next((op for op in behind if _turned(op)), None)
    if born is not None:
        known = [each.values for each in born.inputs if each.values is not None]
        spans = " and ".join(f"{each.low:.4g} to {each.high:.4g}" for each in known)
        huge = born.name != "div" and max(max(abs(each.low), abs(each.high)) for each in known) > HUGE
        mend = MEND["overflow"] if huge else MEND.get(born.name, SHIFT)
        return Birth(born.site, f"{born.name} of finite inputs, {spans}, is not finite", mend)
    data = _data(trace, passed)
    if data is not None:
        return data
    if root is not None and root.finite and abs(root.mean) < HUGE:
        for op in behind:
            point = _singular(op)
            if point is not None:
                what = f"{op.name} has an infinite derivative at {point:g}, which is among its inputs"
                return Birth(op.site, what, MEND.get(op.name, SHIFT))
    losses = [event.roots[0].values for event in trace.backwards() if event.roots and event.n <= passed.n]
    told = [f"{loss.mean:.4g}" for loss in losses[-6:] if loss is not None]
    if len(told) > 1:
        return Birth(passed.site, "it overflowed: the last losses were " + ", ".join(told), MEND["overflow"])
    return None


def _turned(op: Op) -> bool:
    """Whether all that went in was finite, and what came out is not."""
    out = [each.values for each in op.out if each.values is not None]
    known = [each.values for each in op.inputs if each.values is not None]
    seen = bool(known) and len(known) == len(op.inputs) and all(each.finite for each in known)
    return seen and bool(out) and not all(each.finite for each in out)


def _singular(op: Op) -> float | None:
    """A point among the inputs at which the derivative of a call is infinite: of a power only below one."""
    power = op.arg(1, "exponent", 1)
    if op.name == "pow" and not (isinstance(power, int | float) and power < 1):
        return None
    values = op.inputs[-1 if op.name == "div" else 0].values if op.inputs else None
    points = SINGULAR.get(op.name, ()) if values is not None else ()
    return next((point for point in points if values is not None and values.low <= point <= values.high), None)


def _all_behind(trace: Trace, passed: Backward, most: int = 400) -> list[Op]:
    """All calls behind a pass, through inputs without a gradient too."""
    return [op for _, op in trace.back(passed.roots, passed.n, most) if op is not None]


def _data(trace: Trace, passed: Backward) -> Birth | None:
    """A batch, or what a model was given, that is not finite."""
    given: list[tuple[Event, Seen]] = []
    for event in trace.of(Batch, Forward):
        if event.n < passed.n:
            given += [(event, seen) for seen in (event.tensors if isinstance(event, Batch) else event.inputs)]
    for event, seen in given:
        if seen.values is not None and not seen.values.finite and not seen.needs_grad:
            return Birth(event.site, f"a batch of shape {tuple(seen.shape)} holds NaN or infinity", MEND["data"])
    return None
