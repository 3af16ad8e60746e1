"""Gradients are computed for an optimizer that never steps.

What: an optimizer holds parameters that receive gradients again and again, and its `step()` is never called; no one
else moves them either.

Why: nothing is learned by these parameters: they keep their random start.

Evidence: the number of backward passes that gave them gradients, no step, and the same bits at the first and the last
pass.

False alarms: parameters that are only looked at (saliency, a probe of gradients) belong to no optimizer, or are
trained by another one and change. A run that was stopped early has too few passes.

Mend: call `optimizer.step()` after the backward pass (with a scaler: `scaler.step(optimizer)`).

Wrong:
    optimizer.zero_grad()
    loss.backward()

Right:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from truestep.check.changes import Backward, Clear, Step
from truestep.check.finding import Finding, Rule
from truestep.check.mends.updates import Stepped
from truestep.check.rules import found
from truestep.check.rules._source import tree_of
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS103", "step_missing", "an optimizer never steps", "error", "updates")
MENDING = Stepped()
OFTEN = 5


def look(trace: Trace) -> Iterator[Finding]:
    """Compare the bits of what an idle optimizer holds over all backward passes."""
    stepped = {step.optimizer for step in trace.of(Step)}
    for optimizer, made in trace.optimizers().items():
        if optimizer in stepped:
            continue
        passes = _given(trace, trace.held(optimizer), made[0].n)
        if len(passes) < OFTEN:
            continue
        bits: dict[int, set[int]] = {}
        for event in passes:
            for leaf in event.leaves:
                if leaf.number in trace.held(optimizer) and leaf.weight is not None:
                    bits.setdefault(leaf.number, set()).add(leaf.weight.mark)
        still = [number for number, marks in bits.items() if len(marks) == 1]
        if not bits or len(still) < len(bits):
            continue
        clears = [clear for clear in trace.of(Clear) if clear.owner == optimizer]
        where = (clears[0] if clears and stepped else passes[0]).site
        bare = _uncalled(where.file)
        yield found(
            RULE,
            where._replace(line=bare) if bare else where,
            f"this {made[0].kind} is never stepped: {trace.name(still[0])} and what else it holds never move"
            + (": `step` without brackets is named here and not called" if bare else ""),
            f"{plural(len(passes), 'backward pass', 'backward passes')} gave gradients to {len(bits)} of its "
            "parameters, step() was never called, "
            "and every bit of them is as it was",
            "parameters without a step keep their random start, whatever the loss",
            "call step() of this optimizer after the backward pass (with a scaler: scaler.step(optimizer))",
        )


def _uncalled(file: str) -> int:
    """The line of a statement that is `optimizer.step` without brackets, where a file has but one; else 0."""
    tree = tree_of(file)
    lines = [
        node.lineno for node in ast.walk(tree or ast.Module([], []))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Attribute) and node.value.attr == "step"
    ]  # fmt: skip
    return lines[0] if len(lines) == 1 else 0


def _given(trace: Trace, held: set[int], since: int) -> list[Backward]:
    return [
        event
        for event in trace.backwards()
        if event.n > since and any(leaf.number in held and leaf.after and leaf.after.norm for leaf in event.leaves)
    ]
