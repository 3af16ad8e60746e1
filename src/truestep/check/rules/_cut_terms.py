"""Terms of a loss that are single numbers, cut off from weights that its other terms train: they move nothing."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from truestep.check.changes import Backward
from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.rules._attached import differentiated
from truestep.check.rules._chains import SHAPES
from truestep.check.site import Site
from truestep.check.trace import Trace

ADDS = {"add", "add_", "__add__", "__radd__", "__iadd__", "sub", "sub_"}
LISTS = {"stack", "cat", "hstack", "concat"}
SCALES = {"mul", "mul_", "neg", "sum", "mean"}
SINGLE = SHAPES | {"matmul", "dot", "mv", "mm", "linear", "bilinear", "max", "min", "amax", "amin"}
"""Calls that make one number of many and are no sum over samples or weights: the estimate for one state, say."""
OFTEN, DEEP, FAR = 4, 60, 400


def cut_terms(trace: Trace) -> list[tuple[Site, str, str]]:
    """Such terms at every pass of a line; each could be differentiated, and no pass ever does."""
    lines: dict[tuple[str, int], dict[int, tuple[Op, Op, set[int]]]] = defaultdict(dict)
    other: set[tuple[str, int]] = set()
    for update in trace.updates() if trace.ops("detach", "data") else ():
        moved = {one.number for one in update.step.moved if one.change > 0} if update.step is not None else set[int]()
        for event in update.backwards:
            if moved and event.close and len(event.roots) == 1 and not event.seeded:
                _look(trace, event, moved, lines, other)
    for place, seen in lines.items():
        if len(seen) >= OFTEN and place not in other:
            add, cut, shared = next(iter(seen.values()))
            return [(
                cut.site, f"a term of the loss is cut off by {cut.name}(): it has no gradient",
                f"at {len(seen)} passes looked at it was added to the loss on line {add.site.line}; it could be "
                f"differentiated until here, with regard to {trace.name(min(shared))} too, which the steps after them "
                "moved, and no pass ever went through it",
            )]  # fmt: skip
    return []


def _look(
    trace: Trace, event: Backward, moved: set[int], lines: dict[tuple[str, int], dict[int, tuple[Op, Op, set[int]]]],
    other: set[tuple[str, int]],
) -> None:  # fmt: skip
    told = [(add, term, _cut(trace, term, add)) for add, term in terms(trace, event)]
    cuts = [(add, cut, cut.inputs[0]) for add, _, cut in told if cut is not None]
    other |= {add.site.place for add, _, cut in told if cut is None}
    # what stands in the loss attached too gives it another value, and keeps its gradient: nothing is missing
    if any(_used(trace, given, cut.n) for _, cut, given in cuts):
        other |= {add.site.place for add, _, _ in cuts}
        return
    reached = {leaf.number for leaf in event.leaves} & moved
    for add, cut, given in cuts:
        shared = _weights(trace, given, cut.n) & reached
        if shared and not _weighs(trace, cut, add):
            lines[add.site.place][event.n] = add, cut, shared


def terms(trace: Trace, event: Backward) -> Iterator[tuple[Op, Seen]]:
    """What has no gradient and is added, or taken away, on the way to a root, with the call that does it."""
    waiting, known = [(event.roots[0], event.n)], set[int]()
    while waiting and len(known) < DEEP:
        tensor, before = waiting.pop(0)
        op = trace.maker(tensor, before)
        if op is None or op.n in known:
            continue
        known.add(op.n)
        learned = [each for each in op.inputs if each.needs_grad]
        if op.name in ADDS | LISTS:
            yield from ((op, each) for each in op.inputs if not each.needs_grad and math.prod(each.shape) == 1)
        elif op.name == "div":
            learned = [each for each in op.args[:1] if isinstance(each, Seen) and len(learned) == 1]
        elif op.name not in SCALES or len(learned) > 1:  # a number that is added to a factor counts
            continue
        waiting += [(each, op.n) for each in learned]


def _cut(trace: Trace, term: Seen, add: Op) -> Op | None:
    """Where a term was cut off: a single number that sums up what there is for many samples or weights.

    A difference that is cut off gives a result another value, and keeps the gradient of what was taken away.
    """
    for _, op in trace.back([term], add.n, DEEP):
        if op is not None and op.update == add.update and op.name in ("detach", "data") and op.inputs:
            given = op.inputs[0]
            made = trace.maker(given, op.n)
            differs = made is None or (made.name == "sub" and len(made.inputs) > 1)
            if given.needs_grad and not differs and math.prod(given.shape) == 1 and _summed(trace, given, op.n):
                return op
    return None


def _used(trace: Trace, given: Seen, before: int) -> bool:
    """Whether a pass went through it, or through one of what it is the sum of."""
    parts = trace.back([given], before, DEEP, lambda op, each: op.name in ADDS and each.needs_grad)
    return any(differentiated(trace, each, before) for each, _ in parts)


def _summed(trace: Trace, given: Seen, before: int) -> bool:
    made = (op for _, op in trace.back([given], before, DEEP, lambda op, each: each.needs_grad) if op is not None)
    return any(
        op.name not in SINGLE and math.prod(op.out[0].shape) == 1 and any(math.prod(one.shape) > 1 for one in op.inputs)
        for op in made if op.out
    )  # fmt: skip


def _weights(trace: Trace, given: Seen, before: int) -> set[int]:
    way = trace.back([given], before, FAR, lambda op, each: each.needs_grad)
    return {seen.number for seen, _ in way if seen.leaf and seen.needs_grad}


def _weighs(trace: Trace, cut: Op, add: Op) -> bool:
    """Whether what was cut off is also a factor of something that has a gradient: a quantity that is taken as given."""
    waiting, known = [(each, cut.n) for each in cut.out], set[int]()
    while waiting and len(known) < DEEP:
        tensor, since = waiting.pop(0)
        for user in trace.users(tensor, since):
            if user.n in known or user.n == add.n or user.update != cut.update:
                continue
            known.add(user.n)
            if user.grad and any(each.needs_grad for each in user.out) and user.name not in ADDS | LISTS:
                return True
            waiting += [(each, user.n) for each in user.out if not each.needs_grad]
    return False
