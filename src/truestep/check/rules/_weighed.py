"""Scores that are weighed one by one, along a dimension of one entry, where others stand beside them."""

from __future__ import annotations

from collections.abc import Sequence

from truestep.check.events import Op
from truestep.check.site import Site

OFTEN = 4  # updates


def weighed_alone(calls: Sequence[tuple[Op, int]]) -> tuple[Site, str, str, str, str] | None:
    """A line whose softmaxes, each with its dimension, all weigh one entry, though several stand along another one."""
    shapes = [(op.inputs[0].shape, dim) for op, dim in calls]
    alone = all(shape[dim] == 1 and max((*shape[1:dim], *shape[dim + 1 :]), default=1) > 1 for shape, dim in shapes)
    learned = [op.inputs[0].needs_grad for op, _ in calls if op.grad]
    if not alone or not learned or not all(learned) or len({op.update for op, _ in calls}) < OFTEN:
        return None
    op, dim = calls[0]
    return (
        op.site,
        f"{op.name} is taken over dimension {dim} of {tuple(op.inputs[0].shape)}, which has one entry",
        f"in all {len(calls)} calls each of its results is 1 (or the logarithm of it), whatever the scores are",
        "nothing is weighed, and what the scores were made with gets no gradient",
        "give softmax the dimension of what is to be weighed: dim=-1 in most cases",
    )
