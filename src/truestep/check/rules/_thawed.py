"""Parameters that begin to receive gradients under an optimizer that does not hold them."""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import Backward, OptimizerMade, Step
from truestep.check.trace import Trace

MOST = 20
"""Optimizers of a run of parts; of more, as of inner loops, the parts are not looked at closely."""
OFTEN, LATER = 5, 2
"""Passes that did not reach a parameter, and those that did: between close looks there are many more."""


def thawed(trace: Trace) -> Iterator[tuple[OptimizerMade, list[int], int, int]]:
    """Each optimizer beside the parameters that it does not hold and that its passes reach, but for the first ones.

    No optimizer that makes a step later holds them, and they keep every bit. With it the numbers of passes without them
    and with them: they were frozen when it was made, and are so no more.
    """
    built = [made for made in trace.of(OptimizerMade) if not made.added]
    for made in built if len(built) <= MOST else ():
        steps = [step for step in trace.of(Step) if step.n > made.n]
        last = max((step.n for step in steps if step.optimizer == made.optimizer), default=0)
        own = trace.held(made.optimizer)
        others = set().union(*(trace.held(optimizer) for optimizer in {step.optimizer for step in steps}))
        under = [each for each in trace.backwards() if made.n < each.n < last and own & _reached(each)]
        first = set().union(*map(_reached, under[:OFTEN]))
        late = set().union(*map(_reached, under)) - first - others
        found = [number for number in sorted(late) if _still(under, number)]
        if found:
            without = sum(found[0] not in _reached(each) for each in under)
            yield made, found, without, len(under) - without


def _reached(event: Backward) -> set[int]:
    return {leaf.number for leaf in event.leaves if leaf.parameter}


def _still(under: list[Backward], number: int) -> bool:
    """Whether a parameter received gradients and kept every bit."""
    leaves = [leaf for each in under for leaf in each.leaves if leaf.number == number]
    marks = {leaf.weight.mark for leaf in leaves if leaf.weight is not None}
    return len(marks) == 1 and sum(leaf.after is not None and leaf.after.norm > 0 for leaf in leaves) >= LATER
