"""The change of one parameter in one step, apart by cause: by its rule where that is known, else measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from truestep.core.flow import with_rounding
from truestep.core.rules import Twin
from truestep.explain.ledger import OWN_RULE, Account
from truestep.explain.trail import Trail

Parts = Mapping[str, list[Tensor | None]]
"""Loss term -> its part of the gradient, parameter by parameter."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One parameter in one step: before and after it, the gradient that the step found before clipping, by term too.

    Without a gradient, or where the step was skipped, `gradient` is None and nothing is owed to a term.
    """

    name: str
    old: Tensor
    new: Tensor
    gradient: Tensor | None
    terms: Mapping[str, Tensor | None]

    @property
    def change(self) -> Tensor:
        """After minus before, in float64."""
        return self.new.double() - self.old.double()

    @property
    def filled(self) -> dict[str, Tensor]:
        """The part of each term, zeros where it does not reach the parameter."""
        return {name: filled(part, self.old) for name, part in self.terms.items()}


def account(moved: Moved, twin: Twin | None, clip: float, along: float, trail: Trail | None = None) -> Account:
    """What moved one parameter: entries that add up to its change, and its momentum by steps back.

    Args:
        moved: the parameter, and its gradient by term.
        twin: its rule and state before the step, None where the rule is not known.
        clip: the factor of clipping, 1 where it left the gradient alone.
        along: the number of `scale_of`, for a rule that is not known.
        trail: the momentum of the steps before.
    """
    change = moved.change
    if moved.gradient is None:
        entries = with_rounding(dict.fromkeys(moved.terms, torch.zeros_like(change)), change)
    elif twin is not None:
        hyper = {"clip": clip} if clip < 1 else None
        terms, whole = moved.filled, filled(moved.gradient, moved.old)
        entries = twin.rule.itemise(terms, moved.old, twin.state, hyper, whole=whole, new=moved.new)
    else:
        entries = _measured(moved.filled, change, along, clip)
    by_step: dict[int | str, Tensor] = {}
    if twin is not None and trail is not None and "momentum" in entries:
        by_step = trail.apart(twin, entries["momentum"])
    return Account(moved.name, moved.old.double(), change, entries, by_step)


def scale_of(moved: Iterable[Moved]) -> float:
    """The number `a` for which `a * gradient` is nearest to the change, over all parameters."""
    over, under = 0.0, 0.0
    for one in moved:
        gradient = sum((part.double() for part in one.filled.values()), torch.zeros_like(one.old).double())
        over += float((gradient * one.change).sum())
        under += float((gradient * gradient).sum())
    return over / under if under else 0.0


def cosines(parts: Parts) -> dict[tuple[str, str], float]:
    """The cosine between the gradients of each two terms, over all parameters; NaN where one of them is zero."""
    return {(a, b): _cosine(parts[a], parts[b]) for a, b in combinations(parts, 2)}


def filled(gradient: Tensor | None, like: Tensor) -> Tensor:
    """A gradient as a dense tensor, zeros for None."""
    return torch.zeros_like(like) if gradient is None else gradient.to_dense() if gradient.is_sparse else gradient


def _measured(terms: Mapping[str, Tensor], change: Tensor, along: float, clip: float) -> dict[str, Tensor]:
    """The change along the gradient by term, what clipping took of it, and the rest."""
    moves = {name: along * gradient.double() / clip for name, gradient in terms.items()}
    if clip < 1:
        moves["clipping"] = (clip - 1) * sum(moves.values(), torch.zeros_like(change))
    moves[OWN_RULE] = change - sum(moves.values(), torch.zeros_like(change))
    return with_rounding(moves, change)


def _cosine(a: list[Tensor | None], b: list[Tensor | None]) -> float:
    both = [(x.double(), y.double()) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    product = sum(float((x * y).sum()) for x, y in both)
    norms = [math.sqrt(sum(float((x.double() ** 2).sum()) for x in side if x is not None)) for side in (a, b)]
    return product / (norms[0] * norms[1]) if all(norms) else float("nan")
