"""The gradients are cleared between the backward pass and the step, so the step has nothing to use.

What: an optimizer steps while all its parameters have no gradient, or a gradient of zeros, although a backward pass
since its last step gave them one, and that was cleared in between. Or the step follows the last of several passes
only: all that the others gave was cleared, and nobody had looked at it.

Why: the optimizer takes its step and moves nothing: the loss is computed, printed, and never falls. Where one pass is
left, the losses of the others have no say.

Evidence: the norms that were cleared, and the parameters' bits before and after the step; that all leaves of a pass
were cleared before the step, at nearly every step, and that no gradient was read, clipped or used in between.

False alarms: a probe of gradients may be cleared on purpose: then somebody reads them, or the pass reaches an input
(an attack, a saliency map), and another pass fills them before the step. A batch that is skipped is cleared, but then
no step follows. A closure's passes and those that a scaler skips do not count.

Mend: clear before the backward pass, or after the step.

Wrong:
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()

Right:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import Backward, Clear, Clip, Scaler, Step
from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.mends.clearing import ClearedLater
from truestep.check.rules import found
from truestep.check.rules._facts import held, stepping
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS102", "cleared_before_step", "gradients are cleared before the step uses them", "error", "updates")
MENDING = ClearedLater()
OFTEN = 2
MOST = 2 / 3  # of the steps


def look(trace: Trace) -> Iterator[Finding]:
    """Follow who has a gradient from the backward pass to the step."""
    yield from _in_vain(trace)
    for optimizer in stepping(trace, OFTEN):
        mine = trace.held(optimizer)
        lost: list[tuple[Step, Clear, float]] = []
        steps = 0
        had: dict[int, float] = {}
        clear: tuple[Clear, float] | None = None
        for event in trace.of(Backward, Clear, Step):
            if not event.close:
                had, clear = {}, None
            elif isinstance(event, Backward) and event.how == "backward":
                given = {leaf.number: leaf.after.norm for leaf in event.leaves if leaf.after and leaf.number in mine}
                if any(given.values()):
                    had, clear = had | given, None
            elif isinstance(event, Clear):
                gone = [had.pop(number) for number, _ in event.held if number in had]
                clear = (event, max(gone)) if any(gone) and not any(had.values()) else clear
            elif isinstance(event, Step) and event.optimizer == optimizer:
                steps += 1
                empty = all(one.grad is None or one.grad.norm == 0 for one in event.moved)
                if clear is not None and empty and event.moved:
                    lost.append((event, *clear))
                had, clear = {}, None
        if len(lost) >= OFTEN and 2 * len(lost) > steps:
            step, where, norm = lost[0]
            still = sum(one.before == one.after for one in step.moved)
            yield found(
                RULE,
                where.site,
                f"the gradients are cleared here, before {step.kind}.step() on line {step.site.line} uses them",
                f"a gradient of norm {norm:.3g} was cleared and the step saw none, {len(lost)} of {steps} times; "
                f"{still} of {len(step.moved)} parameters kept every bit",
                "the step has no gradient to follow, so the weights stay as they are",
                "clear before the backward pass (or after the step), not between the two",
            )


def _in_vain(trace: Trace) -> Iterator[Finding]:
    """Passes whose whole gradient was cleared unread, before a step that follows another pass."""
    steps = _wasted(trace)
    sets = [steps]
    for optimizer in dict.fromkeys(step.optimizer for step, _ in steps):
        mine = trace.held(optimizer)  # of several optimizers one alone may lose its passes
        own = [(step, pairs) for step, pairs in steps if step.optimizer == optimizer]
        sets.append([(step, [pair for pair in pairs if _given(pair[0]) <= mine]) for step, pairs in own])
    for taken in sets:
        told = [(step, pairs) for step, pairs in taken if pairs]
        if len(told) > OFTEN and len(told) >= MOST * len(taken):
            step, pairs = told[0]
            event, clear = pairs[0]
            count = sum(len(each) for _, each in told)
            yield found(
                RULE,
                clear.site,
                f"what the backward pass of line {event.site.line} gave is cleared here, before {step.kind}.step() on "
                f"line {step.site.line} could use it",
                f"all {plural(len(event.leaves), 'gradient')} of {plural(count, 'pass', 'passes')} were cleared "
                f"unread, before {len(told)} of {len(taken)} "
                "steps; each of these followed the last pass alone",
                "the losses of the passes before it have no say",
                "clear once, before the first backward pass of a step",
            )
            return


def _given(event: Backward) -> set[int]:
    return {leaf.number for leaf in event.leaves if leaf.after is not None and leaf.after.norm}


def _wasted(trace: Trace) -> list[tuple[Step, list[tuple[Backward, Clear]]]]:
    """Every step that follows a pass, with the passes before it whose whole gradient was cleared unread."""
    mine = held(trace)
    steps: list[tuple[Step, list[tuple[Backward, Clear]]]] = []
    waiting: list[tuple[Backward, set[int]]] = []
    wasted: list[tuple[Backward, Clear]] = []
    kept = False  # whether a pass came that nothing cleared since
    for event in trace.of(Backward, Clear, Step, Clip, Scaler, Op):
        if isinstance(event, Backward) and event.how == "backward" and not event.nested:
            given = _given(event)
            if given and given <= mine:
                waiting.append((event, given))
                kept = True
        elif isinstance(event, Clear):
            gone = {number for number, _ in event.held}
            wasted += [(each, event) for each, left in waiting if left <= gone]
            waiting = [(each, left - gone) for each, left in waiting if not left <= gone]
            kept = bool(waiting)
        elif isinstance(event, Step):
            if event.close and not event.closure and not event.nested and kept:
                steps.append((event, wasted))
            waiting, wasted, kept = [], [], False
        elif not isinstance(event, Op) or event.name in ("grad", "grad="):
            waiting = []  # it was read, clipped or judged by a scaler
    return steps
