"""Losses that compare what a model says with what the same weights say of the same input: nothing, pass after pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from truestep.check.events import Forward
from truestep.check.looks import Seen
from truestep.check.rules._chains import by_line, call_behind
from truestep.check.site import Site
from truestep.check.trace import LossCall, Trace

DISTANCES = {"kl_div", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}
OFTEN, NOTHING = 6, 1e-5
"""Calls, each at another update, and what counts as no distance."""


def says_itself(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Distances to a target that the model itself has just given: a teacher that is the model, by whatever name."""
    calls = {out.number: event for event in trace.of(Forward) if event.depth == 0 for out in event.outputs}
    losses = [each for each in trace.losses() if each.name in DISTANCES and each.op.grad and each.prediction.needs_grad]
    for line in by_line(losses):
        values = [each.op.out[0].values for each in line]
        nothing = all(each is not None and max(abs(each.low), abs(each.high)) < NOTHING for each in values)
        if nothing and len({each.op.update for each in line}) >= OFTEN:
            pairs = [_pair(trace, each, calls) for each in line]
            if all(one is not None and _same(*one) for one in pairs) and pairs[0] is not None:
                first, loss = pairs[0][1], line[0]
                yield (
                    first.site,
                    "what the model is to keep to is said by the model itself",
                    f"at {len(line)} updates looked at both sides of {loss.name} on line {loss.op.site.line} came from "
                    f"{trace.name(first.module)}, with the same weights and of the same input: it was 0 each time",
                )


def _pair(trace: Trace, loss: LossCall, calls: dict[int, Forward]) -> tuple[Forward, Forward] | None:
    """The call behind a prediction, and the one without a graph behind its target."""
    one = call_behind(trace, loss.prediction, loss.op.n, calls)
    other = call_behind(trace, loss.target, loss.op.n, calls)
    apart = one is not None and other is not None and one.n != other.n
    return (one, other) if apart and one is not None and other is not None and not other.grad else None


def _same(one: Forward, other: Forward) -> bool:
    return one.module == other.module and one.update == other.update and _inputs(one.inputs) == _inputs(other.inputs)


def _inputs(given: Sequence[Seen]) -> list[int]:
    return [each.number for each in given]
