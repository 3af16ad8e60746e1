"""Pictures and masks that lie upon each other in evaluation, and in training are turned or cut each for itself."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from truestep.check.events import Op
from truestep.check.rules._chains import by_line
from truestep.check.site import Site
from truestep.check.trace import LossCall, Trace

TRAINED, OTHERS = 24, 12
"""The fewest items of either kind that say anything."""
PLAIN, FEW, MANY = 0.3, 0.1, 0.25
CLOSER, ALIKE = 1.5, 0.7
"""How much closer a mask lies elsewhere, and how close that has to be by what evaluation knows."""


def apart(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Training items whose mask would fit their picture mirrored or moved; those of evaluation fit as they lie."""
    pairs: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for op in trace.ops("aligned"):
        pairs[op.grad] += [each for each in op.args if each[1] > 0]  # an empty mask says nothing
    trained, others = pairs[True], pairs[False]
    if len(trained) < TRAINED or len(others) < OTHERS:
        return
    known = median(here for here, _ in others)
    off = [_off(each, known) for each in trained]
    strange = sum(best > CLOSER * here for here, best in others)
    if known >= PLAIN and strange <= FEW * len(others) and sum(off) >= MANY * len(off):
        calls = [call for call in trace.losses() if call.op.grad and call.prediction.needs_grad]
        yield (
            _site(by_line(calls), next(op for op in trace.ops("aligned") if op.grad)),
            "pictures and masks are mirrored or cut each for itself in training",
            f"of {len(trained)} training items looked at {sum(off)} have a mask that would lie at least {CLOSER} times "
            f"as close on its picture mirrored or elsewhere; of {len(others)} evaluated ones {strange}, and these go "
            f"together with {known:.2f} as they lie",
        )


def _off(pair: tuple[float, float], known: float) -> bool:
    here, best = pair
    return best > CLOSER * here and best >= ALIKE * known


def _site(lines: list[list[LossCall]], first: Op) -> Site:
    """The loss that compares them: what made the pair is not seen."""
    return lines[0][0].op.site if lines else first.site
