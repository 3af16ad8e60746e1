"""The gradients are cleared between the backward pass and the step, so the step has nothing to use.

What: an optimizer steps while all its parameters have no gradient, or a gradient of zeros, although a backward pass
since its last step gave them one, and that was cleared in between.

Why: the optimizer takes its step and moves nothing: the loss is computed, printed, and never falls.

Evidence: the norms that were cleared, and the parameters' bits before and after the step.

False alarms: a probe of gradients may be cleared on purpose, but then another pass fills them before the step. A
batch that is skipped is cleared, but then no step follows. So it must happen at least twice and at every step in
between.

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

from truestep.check.changes import Backward, Clear, Step
from truestep.check.finding import Finding, Rule
from truestep.check.mends.clearing import ClearedLater
from truestep.check.rules import found
from truestep.check.trace import Trace

RULE = Rule("TS102", "cleared_before_step", "gradients are cleared before the step uses them", "error", "updates")
MENDING = ClearedLater()
OFTEN = 2


def look(trace: Trace) -> Iterator[Finding]:
    """Follow who has a gradient from the backward pass to the step."""
    for optimizer in trace.optimizers():
        held = trace.held(optimizer)
        lost: list[tuple[Step, Clear, float]] = []
        steps = 0
        had: dict[int, float] = {}
        clear: tuple[Clear, float] | None = None
        for event in trace.of(Backward, Clear, Step):
            if not event.close:
                had, clear = {}, None
            elif isinstance(event, Backward) and event.how == "backward":
                given = {leaf.number: leaf.after.norm for leaf in event.leaves if leaf.after and leaf.number in held}
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
