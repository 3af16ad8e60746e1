"""The gradient of a whole batch from its micro-batches, one graph at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NoReturn

import torch
from torch import Tensor

from truestep.core.bare import backward
from truestep.core.batch import Batch, rows
from truestep.core.errors import ConfigError, CountError
from truestep.core.loss import Count, Loss, Shares, divide, shares
from truestep.core.model import Model, forward
from truestep.core.objective import Objective
from truestep.core.precision import Precision
from truestep.core.ranks import Ranks
from truestep.core.updates import Updates

Metric = Callable[[Any, Any], Loss]
Gradients = dict[Tensor, Tensor]
"""Parameter -> gradient, for those that the loss reaches."""


@dataclass(slots=True)
class Tally:
    """What one pass over a batch added up: totals and counts a term, samples, metrics. It holds no graph.

    `divisor` is what a hand-written updater has to divide its summed gradients by, 1 for any other.
    """

    totals: dict[str, float | Tensor] = field(default_factory=dict)
    counts: dict[str, Count] = field(default_factory=dict)
    sizes: dict[str, Count] = field(default_factory=dict)
    metrics: dict[str, Loss] = field(default_factory=dict)
    alone: dict[str, str] = field(default_factory=dict)
    samples: int = 0
    divisor: float = 1.0

    def add(self, parts: Mapping[str, Loss], samples: int) -> None:
        """Add the totals and counts of one micro-batch."""
        for name, part in parts.items():
            summed, more = part.reduction == "sum", name in self.totals
            total, size = part.total.detach(), part.size if summed and part.size is not None else 0
            self.totals[name] = self.totals[name] + total if more else total
            self.sizes[name] = self.sizes[name] + size if more else size
            if not more or not summed:
                self.counts[name] = self.counts[name] + part.count if more else part.count
            if part.alone:
                self.alone[name] = part.alone
        self.samples += samples


@dataclass(frozen=True, slots=True)
class Whole:
    """What is known of a whole batch, over all its micro-batches and ranks, before its first forward pass."""

    counts: Mapping[str, Count | None]
    samples: float


@dataclass(slots=True)
class Pass:
    """How to go over a batch: the model, what to minimise, and who moves the weights with the gradients."""

    model: Model
    objective: Objective
    updates: Updates
    precision: Precision
    ranks: Ranks
    metrics: Mapping[str, Metric]
    short: bool = field(init=False)

    def __post_init__(self) -> None:
        first = next(iter(self.objective.terms.values()))
        usual = len(self.objective.terms) == 1 and first.plain and not self.updates.summed
        self.short = usual and self.ranks.size == 1 and self.precision.dtype is None

    def run(self, micros: Sequence[Batch], whole: Whole | None, device: torch.device) -> Tally:
        """Leave the gradient of the step in `.grad`, and return what was added up.

        Without `whole` the one micro-batch is the whole batch, and its own forward pass tells the counts. Totals of
        terms whose counts are still unknown are differentiated apart and divided late, once.
        """
        tally, late = Tally(), dict[str, Gradients]()
        worth = None if whole is None else self._worth(whole)
        for inputs, targets in micros:
            output = self._forward(inputs)
            parts = self.objective.parts(output, targets)
            samples = rows(inputs) or rows(targets)
            if whole is None:
                worth = self._worth(Whole({name: part.count for name, part in parts.items()}, samples))
            else:
                _refuse_alone(parts)
            assert worth is not None
            self._backward(parts, worth, late)
            tally.add(parts, samples)
            for name, found in observed(self.metrics, output, targets).items():
                tally.metrics[name] = tally.metrics[name] + found if name in tally.metrics else found
            del output, parts
        if whole is not None and worth is not None:
            tally.samples = int(whole.samples)
            self._meet(tally, device)
            self._divide_late(tally, worth, late)
        if worth is not None:
            tally.divisor = float(next(iter(tally.counts.values()))) if worth.number is None else worth.number
        if self.ranks.size > 1:
            self.ranks.add_gradients(self.updates.parameters)
        return tally

    def _forward(self, inputs: Any) -> Any:
        if self.precision.dtype is None:
            return forward(self.model, inputs)
        with self.precision.autocast():
            return forward(self.model, inputs)

    def _worth(self, whole: Whole) -> Shares:
        if self.updates.summed and self.objective.summed:
            return Shares(whole.samples, self.objective.weights)
        return shares(self.objective.weights, whole.counts, whole.samples if self.updates.summed else None)

    def _backward(self, parts: Mapping[str, Loss], worth: Shares, late: dict[str, Gradients]) -> None:
        early, unknown = dict[str, Tensor](), dict[str, Tensor]()
        for name, part in parts.items():
            if part.total.requires_grad:
                (early if name in worth.of else unknown)[name] = part.total
        if not early and not unknown:
            refuse_detached(parts)
        if unknown:
            self._differentiate(unknown, late, bool(early))
        if early:
            backward(list(early.values()), [self.seed(worth.of[name], total) for name, total in early.items()])

    def _differentiate(self, unknown: Mapping[str, Tensor], late: dict[str, Gradients], again: bool) -> None:
        """Gradients of totals whose counts are not known yet, kept apart; `again`: the graph is still needed after."""
        moved = [parameter for parameter in self.updates.parameters if parameter.requires_grad]
        left = len(unknown)
        for name, total in unknown.items():
            left -= 1
            seed = self.seed(self.objective.weights[name], total)
            found = torch.autograd.grad(total, moved, seed, retain_graph=again or left > 0, allow_unused=True)
            for parameter, gradient in zip(moved, found, strict=True):
                if gradient is not None:
                    _grow(late.setdefault(name, {}), parameter, gradient)

    def seed(self, share: Count, total: Tensor) -> Tensor:
        """What the backward pass of a total starts from."""
        return self.precision.scale(seed_of(share, total))

    def _meet(self, tally: Tally, device: torch.device) -> None:
        """Totals and counts of all ranks, those of sums being one however many ranks there are."""
        names = list(self.objective.terms)
        added = [tally.totals, tally.counts, tally.sizes]
        row = iter(self.ranks.add([figures.get(name, 0.0) for figures in added for name in names], device))
        tally.totals, tally.counts, tally.sizes = ({name: next(row) for name in names} for _ in added)
        tally.counts |= dict.fromkeys(self.objective.sums, 1.0)

    def _divide_late(self, tally: Tally, worth: Shares, late: Mapping[str, Gradients]) -> None:
        for name, gradients in late.items():
            count, number = (1.0, 1.0) if worth.number is None else (tally.counts[name], worth.number)
            for parameter, gradient in zip(gradients, divide(list(gradients.values()), count, number), strict=True):
                parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)


def seed_of(share: Count, total: Tensor) -> Tensor:
    """A share as a tensor that the backward pass of a total can start from."""
    return share.to(total.dtype) if isinstance(share, Tensor) else _constant(share, total.dtype, total.device)


def observed(metrics: Mapping[str, Metric], output: Any, target: Any) -> dict[str, Loss]:
    """The metrics of one forward pass."""
    with torch.no_grad():
        return {name: metric(output, target) for name, metric in metrics.items()}


def refuse_detached(names: Iterable[str]) -> NoReturn:
    """Refuse losses that no gradient flows from."""
    raise ConfigError(
        f"the loss {', '.join(names)} does not depend on the parameters: look for detach(), .item(), .numpy(), "
        "no_grad() or frozen parameters on the way to it."
    )


@lru_cache(maxsize=64)
def _constant(number: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    # Most steps of a run share one count: their seed is made once. Nobody writes into it.
    return torch.tensor(number, dtype=dtype, device=device)


def _grow(sums: dict[Any, Any], key: Any, more: Count) -> None:
    sums[key] = sums[key] + more if key in sums else more


def _refuse_alone(parts: Mapping[str, Loss]) -> None:
    for part in parts.values():
        if part.alone:
            raise CountError(part.alone)
