"""`explain`: take one step, find out what moved each weight, and put everything back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from truestep.core import rules
from truestep.core.errors import ConfigError
from truestep.core.flow import with_rounding
from truestep.core.model import names_of
from truestep.core.objective import Objective
from truestep.core.outcome import StepOut
from truestep.core.step import TrainStep
from truestep.core.updates import TorchUpdates
from truestep.explain.ledger import OWN_RULE, Account, Ledger
from truestep.explain.modules import ModuleWatch
from truestep.explain.preserve import preserved
from truestep.explain.samples import sample_records

Parts = dict[str, list[Tensor | None]]
"""Loss term -> its part of the gradient, parameter by parameter."""


def explain(step: TrainStep, inputs: Any, targets: Any) -> Ledger:
    """Take one step on a batch, account for every change by cause, and leave everything as it was.

    For each parameter `change = sum of entries` to the last bit, in float64: each loss term by its name, "decay",
    "momentum" (carried from earlier steps), "clipping", and "rounding", the few ulp that the parameter's own precision
    took. For adaptive rules all entries share the denominator of the step. An optimizer that is not known, or an
    updater written by hand, gets the part of the change along the gradient by term, and the rest as its own rule.

    Args:
        step: the step to explain; its model, optimizer, schedule and the random state end as they were.
        inputs: as the step takes them.
        targets: as the step takes them.

    Raises:
        ConfigError: for a loss term called as another cause; and whatever the step itself raises.

    >>> from torch import nn
    >>> model = nn.Linear(2, 1)
    >>> step = TrainStep(model, nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.01))
    >>> account = explain(step, torch.ones(3, 2), torch.zeros(3, 1))["weight"]
    >>> sum(account.entries.values()).equal(account.change)
    True
    """
    parameters = step.updates.parameters
    before = [parameter.detach().clone() for parameter in parameters]
    with preserved(step):
        twins, notes = _twins(step)
        with ModuleWatch(step.model) as watch:
            out = step(inputs, targets)
        after = [parameter.detach().clone() for parameter in parameters]
    with preserved(step):
        parts = _parts(step, inputs, targets)
    with preserved(step):
        step.gradient(inputs, targets)
        whole = [None if p.grad is None else p.grad.detach().clone() for p in parameters]
        counts = {name: out.counts.get(name, 0.0) for name in step.objective.terms}  # none where nothing was counted
        samples = sample_records(step.model, step.objective, inputs, targets, parameters, counts, step.precision)
    told = _accounts(step, out, twins, before, after, parts, whole)
    return Ledger(
        out=out,
        accounts=told,
        rules=_rules(step, twins),
        clipped=(out.grad_norm, out.grad_norm * clipping(step, out)),
        cosines=cosines(parts),
        samples=samples,
        modules=tuple(watch.records),
        notes=(*notes, *step.notes, *([out.reason] if out.skipped else [])),
    )


def clipping(step: TrainStep, out: StepOut) -> float:
    """The factor that clipping puts on the gradient, as torch works it out; 1 where it leaves it alone."""
    return 1.0 if step.clip_norm is None else min(1.0, step.clip_norm / (out.grad_norm + 1e-6))


def cosines(parts: Parts) -> dict[tuple[str, str], float]:
    """The cosine between the gradients of each two terms, over all parameters; NaN where one of them is zero."""
    return {(a, b): _cosine(parts[a], parts[b]) for a, b in combinations(parts, 2)}


def _twins(step: TrainStep) -> tuple[dict[Tensor, rules.Twin], list[str]]:
    twins: dict[Tensor, rules.Twin] = {}
    if not isinstance(step.updates, TorchUpdates):
        return twins, [f"the {step.updates!r} is written by hand: what it does beside the gradient is measured."]
    for optimizer in step.updates.optimizers:
        try:
            twins |= rules.of(optimizer)
        except ConfigError as error:
            return twins, [f"{error} Its own rule is measured."]
    return twins, []


def _parts(step: TrainStep, inputs: Any, targets: Any) -> Parts:
    """The gradient of each term alone, as the same step would form it."""
    found: Parts = {}
    for name, term in step.objective.terms.items():
        with preserved(step):
            reader = torch.optim.SGD(step.updates.parameters, lr=0.0)
            alone = TrainStep(step.model, Objective(**{name: term}), reader, step.micro_batch, amp=step.precision.dtype)
            if step.precision.scaler is not None and alone.precision.scaler is not None:
                alone.precision.scaler.load_state_dict(step.precision.scaler.state_dict())
            try:
                alone.gradient(inputs, targets)
            except ConfigError:  # a term without a gradient moves nothing, which is worth knowing
                found[name] = [None] * len(step.updates.parameters)
                continue
            found[name] = [None if p.grad is None else p.grad.detach().clone() for p in step.updates.parameters]
    return found


def _accounts(
    step: TrainStep,
    out: StepOut,
    twins: Mapping[Tensor, rules.Twin],
    before: list[Tensor],
    after: list[Tensor],
    parts: Parts,
    whole: list[Tensor | None],
) -> dict[str, Account]:
    factor, names = clipping(step, out), names_of(step.model, step.updates.parameters)
    along = _along(before, after, parts) if not out.skipped else 0.0
    told: dict[str, Account] = {}
    for number, parameter in enumerate(step.updates.parameters):
        old, new, gradient = before[number], after[number], whole[number]
        change = new.double() - old.double()
        terms = {name: _filled(gradients[number], old) for name, gradients in parts.items()}
        twin = twins.get(parameter)
        if gradient is None or out.skipped:
            entries = with_rounding(dict.fromkeys(terms, torch.zeros_like(change)), change)
        elif twin is not None:
            hyper = {"clip": factor} if factor < 1 else None
            entries = twin.rule.itemise(terms, old, twin.state, hyper, whole=gradient, new=new)
        else:
            entries = _measured(terms, change, along, factor)
        told[names[id(parameter)]] = Account(names[id(parameter)], old.double(), change, entries)
    return told


def _measured(terms: Mapping[str, Tensor], change: Tensor, along: float, factor: float) -> dict[str, Tensor]:
    """The change along the gradient by term, what clipping took of it, and the rest."""
    moves = {name: along * gradient.double() / factor for name, gradient in terms.items()}
    if factor < 1:
        moves["clipping"] = (factor - 1) * sum(moves.values(), torch.zeros_like(change))
    moves[OWN_RULE] = change - sum(moves.values(), torch.zeros_like(change))
    return with_rounding(moves, change)


def _along(before: list[Tensor], after: list[Tensor], parts: Parts) -> float:
    """The number `a` for which `a * gradient` is nearest to the change, over all parameters."""
    over, under = 0.0, 0.0
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        gradient = sum((_filled(part[number], old).double() for part in parts.values()), torch.zeros_like(old).double())
        over += float((gradient * (new.double() - old.double())).sum())
        under += float((gradient * gradient).sum())
    return over / under if under else 0.0


def _rules(step: TrainStep, twins: Mapping[Tensor, rules.Twin]) -> dict[str, str]:
    names = names_of(step.model, step.updates.parameters)
    return {names[id(p)]: repr(twins[p].rule) if p in twins else OWN_RULE for p in step.updates.parameters}


def _filled(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient.to_dense() if gradient.is_sparse else gradient


def _cosine(a: list[Tensor | None], b: list[Tensor | None]) -> float:
    both = [(x.double(), y.double()) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    product = sum(float((x * y).sum()) for x, y in both)
    norms = [math.sqrt(sum(float((x.double() ** 2).sum()) for x in side if x is not None)) for side in (a, b)]
    return product / (norms[0] * norms[1]) if all(norms) else float("nan")
