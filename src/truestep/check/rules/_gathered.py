"""Gradients that a program gathers by hand, pass after pass, before it gives their sum to an optimizer."""

from __future__ import annotations

from collections import defaultdict

from truestep.check.changes import Backward, Clip, Step
from truestep.check.looks import Digest
from truestep.check.rules._facts import Window
from truestep.check.trace import Trace

EXACT = 1e-3
FAR = 1e-2
"""What the sum of a gradient's elements must come to beside its norm, to tell anything."""


def gathered(trace: Trace, optimizer: int) -> tuple[list[Window], int]:
    """The steps that used the sum of what several passes gave, each of them by itself; and how many were looked at."""
    found, looked = [], 0
    for update in trace.updates():
        step = update.step
        passes = list(update.backwards)
        if step is None or step.optimizer != optimizer or step.closure or not step.close or not passes:
            continue
        looked += 1
        sums = _sums(step, passes) if len(passes) > 1 else {}
        left = _left(trace, passes[-1], step)
        used = {one.number: one.grad.total for one in step.moved if one.grad is not None}
        shares = [used.get(number, 0.0) / total for number, total in sums.items()]
        if shares and left and all(abs(each / left - 1) < EXACT for each in shares):
            found.append(Window(passes, step))
    return found, looked


def _sums(step: Step, passes: list[Backward]) -> dict[int, float]:
    """What the elements of the passes' gradients come to, by parameter: sums are sums of sums."""
    sums: dict[int, float] = defaultdict(float)
    norms: dict[int, float] = defaultdict(float)
    for event in passes:
        own = _own(step, event)
        if own is None:
            return {}
        for number, look in own.items():
            sums[number] += look.total
            norms[number] += look.norm
    return {number: total for number, total in sums.items() if abs(total) > FAR * norms[number]}


def _own(step: Step, event: Backward) -> dict[int, Digest] | None:
    """What one pass gave to the parameters that a step moves; None where that cannot be told."""
    if event.how == "grad":
        same = len(event.given) == len(step.moved)
        return {one.number: look for one, look in zip(step.moved, event.given, strict=True)} if same else None
    mine = {one.number for one in step.moved}
    leaves = [leaf for leaf in event.leaves if leaf.number in mine and leaf.after is not None]
    fresh = all(leaf.before is None or not leaf.before.norm for leaf in leaves)
    return {leaf.number: leaf.after for leaf in leaves if leaf.after is not None} if fresh else None


def _left(trace: Trace, last: Backward, step: Step) -> float:
    """The part of the gradients that clipping left; 0 where that cannot be told."""
    clips = trace.between(last.n, step.n, Clip)
    if not clips:
        return 1.0
    clip = clips[-1]
    return min(1.0, clip.most / clip.norm) if len(clips) == 1 and clip.how == "norm" and clip.norm else 0.0
