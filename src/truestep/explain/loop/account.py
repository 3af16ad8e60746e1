"""The ledger of one update of somebody else's loop, from what its gradients were made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.optim import Optimizer

from truestep.core import rules
from truestep.core.errors import ConfigError
from truestep.core.outcome import StepOut
from truestep.explain.entries import Moved, account, cosines, filled, scale_of
from truestep.explain.ledger import OWN_RULE, ROUNDING, Account, Ledger
from truestep.explain.loop.gradients import CHANGED, CLIPPED, Cause, Gradients
from truestep.explain.loop.naming import Term
from truestep.explain.modules import ModuleRecord
from truestep.explain.samples import Samples
from truestep.explain.trail import Trail

APART = 12
"""The most backward passes of one update that are told apart; more of them are added up by term."""
_CLIP = "\0clipping"  # no program's own name
OUTSIDE = (
    "seen from outside, a loop does not show what each sample adds to its loss: give its step to ts.TrainStep, and "
    "ts.explain tells that too."
)


@dataclass(frozen=True)
class Seen(StepOut):
    """What was seen of an update from outside: the loss is what was differentiated, added over backward passes."""

    seen: float = math.nan

    @property
    def loss(self) -> float:
        """The sum of all that backward passes started from, in the units of the gradient."""
        return self.seen


@dataclass(frozen=True, slots=True)
class Start:
    """An optimizer as an update finds it: its weights, and the rule and state of each, where its rule is known."""

    optimizer: Optimizer
    before: Mapping[Tensor, Tensor]
    twins: Mapping[Tensor, rules.Twin]
    rate: float | None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, optimizer: Optimizer) -> Start:
        """Take everything down that the update will overwrite."""
        held = [p for group in optimizer.param_groups for p in group["params"]]
        before, rate = {p: p.detach().clone() for p in held}, optimizer.param_groups[0].get("lr")
        rate = None if rate is None else float(rate)
        try:
            return cls(optimizer, before, rules.of(optimizer), rate)
        except ConfigError as error:
            return cls(optimizer, before, {}, rate, (f"{error} Its own rule is measured.",))


def ledger(
    start: Start,
    gradients: Gradients,
    names: Mapping[Tensor, str],
    trail: Trail,
    modules: Sequence[ModuleRecord],
    step: str,
) -> Ledger:
    """The ledger of the update that an optimizer has just made."""
    causes, notes = _causes(start, gradients)
    moved = [_moved(p, old, names[p], gradients.parts.get(p, {}), causes) for p, old in start.before.items()]
    along = scale_of(one for one in moved if one.gradient is not None)
    accounts = [_renamed(account(one, start.twins.get(p), 1.0, along, trail))
                for p, one in zip(start.before, moved, strict=True)]  # fmt: skip
    terms = {label: gradients.terms.get(cause) for cause, label in causes.items() if cause[0]}
    clipped = _clipped(moved)
    return Ledger(
        out=_out(start, gradients, terms, clipped[0]),
        accounts={one.name: one for one in accounts},
        rules={names[p]: repr(start.twins[p].rule) if p in start.twins else OWN_RULE for p in start.before},
        clipped=clipped,
        cosines=cosines({label: [one.terms.get(label) for one in moved] for label in terms}),
        samples=Samples(*_nothing()),
        modules=tuple(modules),
        notes=(*start.notes, *gradients.notes, *notes, OUTSIDE),
        step=step,
    )


def _causes(start: Start, gradients: Gradients) -> tuple[dict[Cause, str], list[str]]:
    """Each cause of these gradients with its label: several backward passes are numbered, very many are added up."""
    every = dict.fromkeys(cause for p in start.before for cause in gradients.parts.get(p, {}))
    found = sorted(every, key=lambda cause: (not cause[0], cause[0]))
    passes = sorted({number for number, _ in found if number})
    several, many = len(passes) > 1, len(passes) > APART
    labels = {
        (number, name): f"{name}, backward {passes.index(number) + 1}" if number and several and not many else name
        for number, name in found
    }
    labels = {cause: _CLIP if cause == (0, CLIPPED) else label for cause, label in labels.items()}
    return labels, [f"{len(passes)} backward passes of this update are added up by term."] if many else []


def _moved(
    parameter: Tensor, old: Tensor, name: str, parts: Mapping[Cause, Tensor], labels: Mapping[Cause, str]
) -> Moved:
    terms: dict[str, Tensor | None] = dict.fromkeys(labels.values())
    for cause, label in labels.items():
        part, held = parts.get(cause), terms[label]
        if part is not None:
            terms[label] = part if held is None else held + part
    gradient = None if parameter.grad is None else parameter.grad.detach()
    return Moved(name, old, parameter.detach().clone(), gradient, terms or {CHANGED: gradient})


def _renamed(told: Account) -> Account:
    """Clipping under its own name, and rounding last: on the grid of the entries their order adds no rounding."""
    entries = dict(told.entries)
    if _CLIP in entries:
        clipped, rounding = entries.pop(_CLIP), entries.pop(ROUNDING)
        entries |= {CLIPPED: clipped, ROUNDING: rounding}
    return replace(told, entries=entries)


def _clipped(moved: Sequence[Moved]) -> tuple[float, float]:
    """The norm of the gradient before and after clipping."""
    live = [(one, filled(one.gradient, one.old).double()) for one in moved if one.gradient is not None]
    after = math.hypot(*(float(gradient.norm()) for _, gradient in live))
    if not any(one.terms.get(_CLIP) is not None for one, _ in live):
        return after, after
    before = [gradient - filled(one.terms.get(_CLIP), gradient) for one, gradient in live]
    return math.hypot(*(float(gradient.norm()) for gradient in before)), after


def _out(start: Start, gradients: Gradients, terms: Mapping[str, Term | None], norm: float) -> Seen:
    """Figures of the update; what a term comes to is known where a variable of the program holds it."""
    used = sorted({number for p in start.before for number, _ in gradients.parts.get(p, {}) if number})
    totals = {label: math.nan if term is None else term.value for label, term in terms.items()}
    weights = {label: 1.0 if term is None else term.weight for label, term in terms.items()}
    return Seen(
        totals=totals,
        counts=dict.fromkeys(totals, 1.0),
        sizes={},
        weights=weights,
        metrics={},
        samples=0,
        grad_norm=norm,
        lr=start.rate,
        alone={},
        seen=sum(gradients.losses[number - 1] for number in used) if used else math.nan,
    )


def _nothing() -> tuple[Tensor, dict[str, Tensor], Tensor, None, Tensor, str]:
    empty = torch.empty(0, dtype=torch.float64)
    return empty, {}, empty, None, torch.empty(0, dtype=torch.int64), "none"
