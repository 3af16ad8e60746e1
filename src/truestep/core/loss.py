"""A loss is a total and a count; totals and counts add, and the one division of the library is here, at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from types import MappingProxyType

import torch
from torch import Tensor

from truestep.core.errors import CountError, ShapeError

Count = float | Tensor
"""A number or a weight: a Python number where shapes decide it, a tensor on the data's device where labels do."""

_NO_TERMS: Mapping[str, Loss] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss of some part of a batch: `mean = total / count`.

    `total` is the differentiable sum (0-dim tensor), `count` the number or weight that turns it into the value that was
    asked for: valid tokens, the sum of class weights, elements. A loss with `reduction="sum"` has the count 1, however
    many parts are merged. `a + b` merges the losses of two parts of one batch: totals add, counts add, term by term.

    Args:
        total: sum over the elements, in the units of the loss.
        count: its own denominator, at least 0; 0 means that nothing was counted, and `mean` is then NaN as in torch.
        reduction: "mean" where counts add, "sum" where the value is the sum over the whole batch.
        size: what the mean would divide by, also for a sum (to say how many times larger a sum is).
        samples: rows of the batch.
        alone: why this loss cannot be merged with that of another part, or "".
        terms: name -> Loss, for the result of an `Objective`.
        weights: name -> weight of each term.

    >>> halves = Loss(torch.tensor(6.0), 2) + Loss(torch.tensor(1.0), 1)
    >>> float(halves.mean), halves.count
    (2.3333332538604736, 3)
    """

    total: Tensor
    count: Count
    reduction: str = "mean"
    size: Count | None = None
    samples: int = 0
    alone: str = ""
    terms: Mapping[str, Loss] = field(default_factory=lambda: _NO_TERMS)
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def mean(self) -> Tensor:
        """`total / count`, a 0-dim tensor: the value that torch itself gives for this loss on the whole batch."""
        return self.total / self.count

    def __float__(self) -> float:
        return float(self.mean.detach())

    def __add__(self, other: Loss) -> Loss:
        if not isinstance(other, Loss):
            return NotImplemented
        if self.terms or other.terms:
            return _merge_terms(self, other)
        if self.alone or other.alone:
            raise CountError(self.alone or other.alone)
        if self.reduction != other.reduction:
            raise CountError("a sum and a mean cannot be merged: both parts must come from the same objective.")
        summed = self.reduction == "sum"
        return Loss(
            self.total + other.total,
            self.count if summed else self.count + other.count,
            self.reduction,
            None if self.size is None or other.size is None else self.size + other.size,
            self.samples + other.samples,
        )

    def __radd__(self, other: object) -> Loss:
        """`0 + loss`, with which `sum(losses)` begins."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def detach(self) -> Loss:
        """The same figures without the graph that made them."""
        terms = {name: term.detach() for name, term in self.terms.items()}
        total = self.total.detach()
        return Loss(total, self.count, self.reduction, self.size, self.samples, self.alone, terms, self.weights)


def _merge_terms(a: Loss, b: Loss) -> Loss:
    if a.terms.keys() != b.terms.keys() or dict(a.weights) != dict(b.weights):
        raise ShapeError(
            f"losses with the terms {list(a.terms)} and {list(b.terms)} cannot be merged: "
            "merge losses of the same objective."
        )
    return mix({name: a.terms[name] + b.terms[name] for name in a.terms}, a.weights)


def merge(losses: Iterable[Loss]) -> Loss:
    """The loss of a whole from the losses of its parts, at least one."""
    return reduce(lambda a, b: a + b, losses)


def mix(terms: Mapping[str, Loss], weights: Mapping[str, float]) -> Loss:
    """The weighted sum of means, `sum_k weight_k * total_k / count_k`, kept as one total and one count.

    Terms that share a count keep it. Where counts differ, no single count exists: the mixture is then the mean of the
    whole batch counted in samples, and the terms keep their own counts so that merging stays exact. A term that counted
    nothing contributes nothing.
    """
    parts = list(terms.values())
    samples = max(part.samples for part in parts)
    counts = [float(part.count) for part in parts]
    shared = counts.count(counts[0]) == len(counts)
    live = [(name, term) for (name, term), count in zip(terms.items(), counts, strict=True) if count != 0] or list(
        terms.items()
    )
    if shared:
        total, count = _sum([weights[name] * term.total for name, term in live]), parts[0].count
    else:
        count = samples or 1
        total = _sum([weights[name] * term.mean for name, term in live]) * count
    summed = all(part.reduction == "sum" for part in parts)
    alone = next((part.alone for part in parts if part.alone), "")
    return Loss(
        total,
        count,
        "sum" if summed else "mean",
        parts[0].size,
        samples,
        alone,
        MappingProxyType(dict(terms)),
        dict(weights),
    )


def _sum(values: Sequence[Tensor]) -> Tensor:
    return reduce(torch.add, values)


@dataclass(frozen=True, slots=True)
class Shares:
    """What each total is worth in the gradient of a step.

    `of`: name -> factor of that term's total, where its count is known; `number`: what a hand-written updater divides
    by, None where that is the count of the only term and not known yet.
    """

    number: float | None
    of: Mapping[str, Count]


def shares(weights: Mapping[str, float], counts: Mapping[str, Count | None], samples: float | None) -> Shares:
    """What each total is worth in the gradient of a step: `weight / count`.

    `samples` is given where a hand-written updater finds *summed* gradients and divides them itself. The number it
    divides by is then the count that the terms share, or the samples where they share none, and each total is worth
    `weight * number / count`.
    """
    if samples is None:
        return Shares(1.0, {name: share_of(weights[name], c) for name, c in counts.items() if c is not None})
    known = {name: count for name, count in counts.items() if count is not None}
    plain = {float(count) for count in known.values()}
    if len(known) == len(counts) and len(plain) == 1:
        return Shares(plain.pop(), dict(weights))
    if len(counts) == 1:
        return Shares(None, {})
    return Shares(samples, {name: share_of(weights[name] * samples, count) for name, count in known.items()})


def tensor_shares(weights: Mapping[str, float], counts: Mapping[str, Count | None]) -> dict[str, Count]:
    """`weight / count` of each total whose count is known, with the bits of `shares`; reads no number from a tensor."""
    found: dict[str, Count] = {}
    for name, count in counts.items():
        if isinstance(count, Tensor):
            exact = count.to(torch.float32 if count.device.type == "mps" else torch.float64)
            found[name] = torch.where(exact == 0, 0.0, weights[name] / exact)
        elif count is not None:
            found[name] = share_of(weights[name], count)
    return found


def share_of(weight: float, count: Count) -> Count:
    """`weight / count`, 0 where nothing counted; a plain number unless the count lies on another device."""
    if isinstance(count, Tensor) and not count.is_cpu:
        exact = count.to(torch.float32 if count.device.type == "mps" else torch.float64)
        return torch.where(exact == 0, 0.0, weight / exact)
    number = float(count)
    return weight / number if number else 0.0


def mean_of(terms: Mapping[str, Loss], weights: Mapping[str, Count]) -> Tensor:
    """`sum_k weight_k * total_k / count_k` as one differentiable tensor, without reading a number from any.

    So it can be mapped over variants and written down as a program. A term that counted nothing contributes nothing;
    a weight may be a tensor.
    """
    return _sum([_worth(weights[name], term.count, term.total) for name, term in terms.items()])


def _worth(weight: Count, count: Count, total: Tensor) -> Tensor:
    if not isinstance(weight, Tensor) and not isinstance(count, Tensor):
        return total * share_of(weight, count)
    exact = torch.as_tensor(count, dtype=torch.float64, device=total.device)
    share = torch.where(exact == 0, 0.0, weight / torch.where(exact == 0, 1.0, exact))
    return total * share.to(total.dtype)


def value(total: float, count: float) -> float:
    """`total / count` of plain numbers, NaN where nothing counted, as torch says it."""
    return total / count if count else float("nan")


def divide(gradients: Sequence[Tensor], count: Count, number: float) -> list[Tensor]:
    """`number * gradient / count` of each: the late division, once, where a count was not known before.

    A term that counted nothing contributes nothing.
    """
    factor = float(share_of(number, count))
    return [gradient * factor for gradient in gradients]
