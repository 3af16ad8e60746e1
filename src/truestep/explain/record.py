"""The ledger of a step: take it, find out what moved each weight, and put everything back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from truestep.core import rules
from truestep.core.errors import ConfigError
from truestep.core.model import names_of
from truestep.core.objective import Objective
from truestep.core.outcome import StepOut
from truestep.core.step import TrainStep
from truestep.core.updates import TorchUpdates
from truestep.explain.entries import Moved, account, cosines, scale_of
from truestep.explain.ledger import OWN_RULE, Account, Ledger
from truestep.explain.modules import ModuleWatch
from truestep.explain.preserve import check_step, preserved
from truestep.explain.samples import sample_records
from truestep.explain.trail import Trail


def ledger_of(step: TrainStep, inputs: Any, targets: Any, history: Trail | None = None) -> Ledger:
    """What `explain` does, whose words tell it."""
    check_step(step)
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
    names = names_of(step.model, parameters)
    moved = [
        Moved(
            names[id(parameter)],
            before[number],
            after[number],
            None if out.skipped else whole[number],
            {term: gradients[number] for term, gradients in parts.items()},
        )
        for number, parameter in enumerate(parameters)
    ]
    return Ledger(
        out=out,
        accounts=_accounts(step, twins, moved, clipping(step, out), history),
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


def _parts(step: TrainStep, inputs: Any, targets: Any) -> dict[str, list[Tensor | None]]:
    """The gradient of each term alone, as the same step would form it."""
    found: dict[str, list[Tensor | None]] = {}
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
    twins: Mapping[Tensor, rules.Twin],
    moved: list[Moved],
    clip: float,
    history: Trail | None,
) -> dict[str, Account]:
    along = scale_of(one for one in moved if one.gradient is not None)
    pairs = zip(step.updates.parameters, moved, strict=True)
    return {one.name: account(one, twins.get(parameter), clip, along, history) for parameter, one in pairs}


def _rules(step: TrainStep, twins: Mapping[Tensor, rules.Twin]) -> dict[str, str]:
    names = names_of(step.model, step.updates.parameters)
    return {names[id(p)]: repr(twins[p].rule) if p in twins else OWN_RULE for p in step.updates.parameters}
