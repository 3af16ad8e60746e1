"""Gradients that are scaled or clamped into new tensors which nobody uses: the step takes the whole gradient."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from truestep.check.changes import Backward, Saved, Step
from truestep.check.events import Number, Op, Printed
from truestep.check.trace import Trace

OFTEN = 3
MAKES = {"mul", "div", "clamp", "clip", "clamp_min", "clamp_max"}


def lost(trace: Trace) -> Iterator[list[tuple[int, Op]]]:
    """For each line the new tensors that it made of gradients, with the parameters, where all of them were lost.

    Each lies between a pass and a step that used what the pass had left, and nothing read, printed or kept it.
    """
    told = {event.site.place for event in trace.of(Printed)}
    read = {number.of.number for number in trace.of(Number)}
    lines: dict[tuple[str, int], list[tuple[int, Op, bool]]] = defaultdict(list)
    waiting: list[tuple[int, Op]] = []
    gradients: dict[int, int] = {}  # a gradient's memory -> its parameter
    left: dict[int, int] = {}  # a parameter -> what the last pass left in its gradient
    for event in trace.of(Backward, Step, Op, Saved):
        if isinstance(event, Saved):
            waiting = []  # it may be in there
        elif isinstance(event, Backward):
            waiting = []
            left = {leaf.number: leaf.after.mark for leaf in event.leaves if leaf.after is not None}
        elif isinstance(event, Step):
            used = {one.number: one.grad.mark for one in event.moved if one.grad is not None}
            for number, op in waiting:
                whole = number in used and used[number] == left.get(number)
                out = op.out[0].number
                lines[op.site.place].append(
                    (number, op, whole and not trace.users(op.out[0], op.n) and out not in read)
                )
            waiting = []
        elif event.name == "grad" and event.inputs and event.out:
            gradients[event.out[0].storage] = event.inputs[0].number
        elif event.name in MAKES and event.site.place not in told and _own(event, gradients):
            waiting.append((gradients[event.inputs[0].storage], event))
    for held in lines.values():
        kept = any(op.out[0].number in trace.living for _, op, _ in held[:-1])  # the last one may still have a name
        if not kept and len({op.update for _, op, _ in held}) >= OFTEN and all(alone for _, _, alone in held):
            yield [(number, op) for number, op, _ in held]


def _own(op: Op, gradients: dict[int, int]) -> bool:
    """Whether a call makes a new tensor of a gradient and a number, or limits."""
    if not op.inputs or not op.out or op.inputs[0].storage not in gradients or op.within:
        return False
    others: Sequence[object] = [each for each in op.inputs[1:] if each.shape]
    return not others and op.out[0].shape == op.inputs[0].shape and op.out[0].storage != op.inputs[0].storage
