"""Gradients are clipped after the optimizer has used them.

What: `clip_grad_norm_` or `clip_grad_value_` runs after the step and before the next pass, on gradients that are then
cleared; nothing clips them between the backward pass and the step.

Why: the step has already followed the whole gradient; the clipping changes numbers that nobody reads again.

Evidence: the order at each step, the norm that the clipping found and its limit, and the gradient that the step used.

False alarms: clipping with an endless limit measures the norm, wherever it stands. With several optimizers only the
one whose parameters are clipped counts.

Mend: clip between `backward()` and `step()`.

Wrong:
    loss.backward()
    optimizer.step()
    clip_grad_norm_(model.parameters(), 1.0)

Right:
    loss.backward()
    clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from truestep.check.changes import Backward, Clip, Step
from truestep.check.finding import Finding, Rule
from truestep.check.mends.updates import ClippedBefore
from truestep.check.rules import found
from truestep.check.trace import Trace

RULE = Rule("TS113", "clip_after_step", "gradients are clipped after the step", "error", "updates")
MENDING = ClippedBefore()
OFTEN = 3
HUGE = 1e4  # a limit that only measures


def look(trace: Trace) -> Iterator[Finding]:
    """Follow, for each optimizer, what lies between its pass, its step and the next pass."""
    for optimizer in trace.optimizers():
        mine = trace.held(optimizer)
        late: list[tuple[Step, Clip]] = []
        steps, early = 0, 0
        stepped: Step | None = None
        clipped = False
        for event in trace.of(Backward, Clip, Step):
            if isinstance(event, Backward):
                if event.how == "backward" and not event.nested:
                    stepped = None
            elif isinstance(event, Clip) and mine & set(event.params):
                late += [(stepped, event)] if stepped is not None else []
                clipped = stepped is None
                stepped = None
            elif isinstance(event, Step) and event.optimizer == optimizer:
                steps, early, stepped, clipped = steps + 1, early + clipped, event, False
        norms = [clip.norm for _, clip in late if clip.norm is not None]
        acted = [norm for norm, (_, clip) in zip(norms, late, strict=False) if norm > clip.most]
        if len(late) < OFTEN or 2 * len(late) < steps or early or _measures(late, acted):
            continue
        step, clip = late[0]
        used = math.hypot(*(one.grad.norm for one in step.moved if one.grad is not None))
        told = f"; it found norms up to {max(norms):.3g} for a limit of {clip.most:g}" if norms else ""
        yield found(
            RULE,
            clip.site,
            "the gradients are clipped here, after the step has used them",
            f"{len(late)} of {steps} steps were followed by this clipping and preceded by none{told}; "
            f"the first step used a gradient of norm {used:.3g}",
            "the steps are not limited at all",
            "clip between backward() and step()",
        )


def _measures(late: list[tuple[Step, Clip]], acted: list[float]) -> bool:
    """Whether the clipping only reads the norm."""
    return all(not math.isfinite(clip.most) or (clip.most >= HUGE and not acted) for _, clip in late)
