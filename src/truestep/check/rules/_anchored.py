"""Weights that are compared with what they were, where that is kept as a reference: the difference is nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.changes import Step
from truestep.check.events import Op
from truestep.check.rules._words import plural
from truestep.check.site import Site
from truestep.check.trace import Trace

COMPARED = ("sub", "sub_", "mse_loss", "l1_loss", "dist", "pairwise_distance")
VIEWS = {"detach", "data", "alias"}
OFTEN = 3  # updates


def anchored(trace: Trace) -> Iterator[tuple[Site, str, str, str, str]]:
    """Lines that take weights from themselves each time, though these move between the updates."""
    whole = {(leaf.storage, leaf.shape) for one in trace.backwards() for leaf in one.leaves if leaf.parameter}
    lines: dict[tuple[str, int], list[Op]] = defaultdict(list)
    for op in trace.ops(*COMPARED):
        lines[op.site.place].append(op)
    for ops in lines.values():
        if all(_itself(trace, op, whole) for op in ops):
            updates = {op.update for op in ops}
            moves = _moves(trace, min(updates), max(updates))
            if len(updates) >= OFTEN and moves:
                yield (
                    ops[0].site,
                    "weights are compared with themselves: what was kept of them is a reference, not a copy",
                    f"all {plural(len(ops), 'call')} of {ops[0].name} here, at {len(updates)} updates, were given the "
                    f"same memory twice, the weights as they are, and {plural(moves, 'step')} moved them in between",
                    "the difference is zero each time: nothing holds the weights to what they were, or moves them on",
                    "keep copies: p.detach().clone() of each parameter, or copy.deepcopy(model.state_dict())",
                )


def _itself(trace: Trace, op: Op, whole: set[tuple[int, tuple[int, ...]]]) -> bool:
    """Whether a call is given one parameter twice; a view that its own line makes is meant to be one."""
    if len(op.inputs) < 2:
        return False
    one, other = op.inputs[:2]
    if one.storage != other.storage or one.shape != other.shape or (one.storage, one.shape) not in whole:
        return False
    makers = [trace.maker(each, op.n) for each in (one, other)]
    return all(maker is None or maker.name not in VIEWS or maker.site.place != op.site.place for maker in makers)


def _moves(trace: Trace, first: int, last: int) -> int:
    return sum(first <= step.update < last and any(one.change > 0 for one in step.moved) for step in trace.of(Step))
