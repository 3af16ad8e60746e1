"""Optimizers that step and step and never find a gradient, though what they hold is in use."""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import Backward, Step
from truestep.check.events import Op
from truestep.check.rules._facts import complete
from truestep.check.rules._words import plural
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN = 5


def empty_steps(trace: Trace) -> Iterator[tuple[Site, str, str, str, str]]:
    """Optimizers none of whose parameters ever had a gradient at a step, or changed.

    They are used at these updates and give what could be differentiated, or torch.func gave gradients of their shapes:
    an optimizer that a schedule alone is drawn from, or that does not train yet, is none of these.
    """
    reached = {leaf.number for event in trace.of(Backward) if event.how == "backward" for leaf in event.leaves}
    for optimizer in trace.optimizers() if complete(trace) else ():
        own = trace.held(optimizer)
        steps = [step for step in trace.of(Step) if step.optimizer == optimizer]
        close = [step for step in steps if step.close and step.moved]
        if len(close) < OFTEN or own & reached or not all(map(_empty, close)):
            continue
        marks = {(one.number, one.before.mark) for step in close for one in step.moved if one.before is not None}
        used = _used(trace, own, {step.update for step in close})
        if len(marks) == len({number for number, _ in marks}) and used >= OFTEN:
            yield (
                close[0].site,
                f"no step of this optimizer ever finds a gradient: none of {plural(len(own), 'parameter')} moves",
                f"at all {len(close)} steps looked at {trace.name(min(own))} and all others had no gradient and kept "
                f"every bit, while {used} of these updates used them for what could be differentiated; no backward "
                "pass reaches them",
                "a step without gradients does nothing: the parameters keep their random start",
                "call loss.backward() before the step; gradients of torch.func or torch.autograd.grad fill no .grad: "
                "put them there, p.grad = g",
            )


def _empty(step: Step) -> bool:
    still = all(one.grad is None and one.before is not None and one.before == one.after for one in step.moved)
    return still and any(one.needs_grad for one in step.moved)


def _used(trace: Trace, own: set[int], updates: set[int]) -> int:
    """The updates at which parameters give what could be differentiated, or gradients of their shapes are made."""
    shapes = {each.shape for op in trace.of(Op) for each in op.inputs if each.number in own and each.needs_grad}
    found: set[int] = set()
    for event in trace.of(Op, Backward):
        if isinstance(event, Op):
            used = any(each.number in own and each.needs_grad for each in event.inputs)
            found |= {event.update} if used and any(out.needs_grad and not out.leaf for out in event.out) else set()
        elif event.how == "grad" and {leaf.shape for leaf in event.leaves} & shapes:
            found.add(event.update)
    return len(found & updates)
