"""Scores that compare guesses in the unit of training with targets in another one, as they were before scaling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from truestep.check.events import Forward, Op
from truestep.check.looks import Seen, Values
from truestep.check.rules._chains import SHAPES, root
from truestep.check.site import Site
from truestep.check.trace import Trace

LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
ROWS, OFTEN, FAR, NEAR = 8, 3, 5.0, 1.0
"""Rows of a call, calls of training; how many of its ranges targets lie off, and how far guesses and inputs may."""


class Unit(NamedTuple):
    """The least and the greatest number that training met."""

    low: float
    high: float

    def off(self, values: Values) -> float:
        """How many ranges a mean lies outside."""
        return max(self.low - values.mean, values.mean - self.high, 0.0) / max(self.high - self.low, 1e-30)


def raw_targets(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Lines that do so, though the inputs are like those of training."""
    calls = {out.number: call for call in trace.of(Forward) if call.depth == 0 for out in call.outputs}
    trained: dict[int, list[tuple[Values, Values]]] = {}
    scores: list[tuple[Op, Forward, Values, Values]] = []
    for op in trace.ops(*LOSSES, "sub"):
        for guess, target in (op.inputs[:2], op.inputs[1::-1]) if len(op.inputs) > 1 else ():
            call = calls.get(root(trace, guess, op.n, SHAPES).number)
            given = _given(call)
            if call is None or given is None or target.needs_grad or not guess.values or not target.values:
                continue
            few = not target.shape or target.shape[0] < ROWS or not target.values.finite
            if few or root(trace, target, op.n, SHAPES).number in calls or _same(trace, call, target, op):
                continue
            if op.grad and call.grad:
                trained.setdefault(call.module, []).append((target.values, given))
            elif not call.grad:
                scores.append((op, call, guess.values, target.values))
    for op, call, guess, target in scores:
        known = trained.get(call.module, [])
        given = _given(call)
        if len(known) >= OFTEN and given is not None:
            unit = _unit([each for each, _ in known])
            like = _unit([each for _, each in known]).off(given) <= NEAR
            if like and unit.off(guess) <= NEAR and unit.off(target) >= FAR:
                yield (
                    op.site, "the score compares guesses in the unit of training with targets in another one",
                    f"in training the targets ran from {unit.low:.4g} to {unit.high:.4g}, and so do these guesses "
                    f"({guess.low:.4g} to {guess.high:.4g}); what they are compared with runs from {target.low:.4g} to "
                    f"{target.high:.4g}, though the inputs are like those of training",
                )  # fmt: skip
                return


def _given(call: Forward | None) -> Values | None:
    return call.inputs[0].values if call is not None and call.inputs else None


def _same(trace: Trace, call: Forward, target: Seen, op: Op) -> bool:
    """Whether a model is compared with its own input."""
    return root(trace, target, op.n).storage in {root(trace, each, call.n).storage for each in call.inputs}


def _unit(values: list[Values]) -> Unit:
    return Unit(min(each.low for each in values), max(each.high for each in values))
