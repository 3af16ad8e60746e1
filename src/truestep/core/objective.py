"""What is minimised: one or several named losses, each with its own weight and its own count."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from truestep.core.batch import rows
from truestep.core.errors import ConfigError, CountError, ShapeError
from truestep.core.kinds import as_tuple, broadcast_sentence
from truestep.core.loss import Count, Loss, mix
from truestep.core.stock import recognise, refuse_no_loss

LossFunction = Callable[..., Any]


class Term:
    """One loss of an objective: `weight * total / count`.

    Args:
        loss: a loss of `torch.nn` (its own `reduction` is honoured over the whole batch), a function of
            `torch.nn.functional`, or any callable `(output, target)` that returns a tensor with elements (their mean is
            meant), a `Loss`, or a scalar whose `reduction` is stated here.
        weight: factor of this term in the objective.
        of: `(output, target) -> arguments of the loss`, to choose or change what the loss sees.
        couples: the elements depend on one another across the batch, so the batch cannot be split.
        reduction: for a callable: "mean" or "sum".
        count: `(output, target) -> number`, the denominator of the mean, where the elements do not tell it. A penalty
            on the weights counts the samples: `count=lambda output, target: len(target)`.

    Raises:
        ConfigError: for what is no loss, an unknown reduction, a count beside a sum, or a weight that is not finite.
    """

    def __init__(
        self,
        loss: LossFunction,
        weight: float = 1.0,
        of: Callable[[Any, Any], Any] | None = None,
        couples: bool = False,
        reduction: str | None = None,
        count: Callable[[Any, Any], float | Tensor] | None = None,
    ) -> None:
        refuse_no_loss(loss)
        self.loss, self.weight, self.of, self.couples = loss, _finite(weight), of, couples
        self.reduction, self.count = reduction, count
        self.stock = recognise(loss)
        self.name = _name(loss)
        if reduction is not None:
            self._check_reduction(reduction)
        # Whether this is a sum over the whole batch, whose count is 1.
        self.summed = (reduction if self.stock is None else self.stock.reduction) == "sum" and count is None
        # Whether this is a loss of torch as it comes, whose total and size are all that there is to it.
        self.plain = self.stock is not None and of is None and count is None and not couples and self.stock.separable

    def _check_reduction(self, reduction: str) -> None:
        if reduction not in ("mean", "sum"):
            hint = "the mean of the elements" if str(reduction).lower() == "none" else "'mean' or 'sum'"
            raise ConfigError(f"the term {self.name} has no reduction {reduction!r}: give {hint}.")
        if self.stock is not None:
            raise ConfigError(
                f"the reduction of {self.name} belongs to the loss itself: "
                f"{self.name}(reduction={reduction!r}) instead of ts.Term(..., reduction=...)."
            )
        if reduction == "sum" and self.count is not None:
            raise ConfigError(f"the term {self.name} is a sum, which has no count: leave out one of the two.")

    def __call__(self, output: Any, target: Any) -> Loss:
        """The loss of one part of a batch, as its total and its own count."""
        samples = rows(output if target is None else target)
        if self.stock is not None:
            found = self._stock_loss(output, target, samples)
        else:
            found = self._own_loss(output, target, samples)
        if not self.couples or found.alone:
            return found
        why = f"the term {self.name} couples the samples of a batch (couples=True): it cannot be split."
        return replace(found, alone=why)

    def measure(self, output: Any, target: Any) -> tuple[Tensor, Count]:
        """(total, size) of a plain term, what `__call__` makes a `Loss` of, for those who write no operation down."""
        assert self.stock is not None
        return self.stock(self.stock.arguments(output, target), quick=True)

    def _stock_loss(self, output: Any, target: Any, samples: int) -> Loss:
        stock = self.stock
        assert stock is not None
        arguments = stock.arguments(output, target) if self.of is None else as_tuple(self.of(output, target))
        total, size = stock(arguments)
        alone = stock.alone(arguments)
        if self.count is not None:
            return Loss(total, self._counted(output, target), size=size, samples=samples, alone=alone)
        if self.summed:
            return Loss(total, 1.0, "sum", size, samples, alone)
        return Loss(total, size, "mean", size, samples, alone)

    def _own_loss(self, output: Any, target: Any, samples: int) -> Loss:
        arguments = (output, target) if self.of is None else as_tuple(self.of(output, target))
        result = self.loss(*arguments)
        if isinstance(result, Loss):
            return self._checked(result, samples)
        if not isinstance(result, Tensor):
            raise ConfigError(
                f"the loss {self.name} returned {type(result).__name__}, which carries no gradient: return a tensor "
                "(without float(), .item() or .numpy())."
            )
        if result.dim():
            return self._elements(result, output, target, samples)
        return self._scalar(result, output, target, samples)

    def _checked(self, result: Loss, samples: int) -> Loss:
        if result.terms:
            raise ConfigError(
                f"the loss {self.name} returned the loss of an objective, whose terms keep counts of their own: "
                "give its terms to this objective instead."
            )
        if self.summed != (result.reduction == "sum"):
            raise ConfigError(
                f"the loss {self.name} returned a Loss that is a {result.reduction}, and its term is not: "
                f"ts.Term({self.name}, reduction={result.reduction!r}) says so."
            )
        return replace(result, samples=result.samples or samples)

    def _elements(self, result: Tensor, output: Any, target: Any, samples: int) -> Loss:
        _refuse_broadcast(self.name, result, output, target)
        total, size = result.sum(), result.numel()
        if self.summed:
            return Loss(total, 1.0, "sum", size, samples)
        return Loss(total, size if self.count is None else self._counted(output, target), "mean", size, samples)

    def _scalar(self, result: Tensor, output: Any, target: Any, samples: int) -> Loss:
        if self.summed:
            return Loss(result, 1.0, "sum", None, samples)
        if self.couples:
            return Loss(result, 1.0, samples=samples)
        if self.count is not None:
            count = self._counted(output, target)
            # A mean of nothing is 0 / 0: its total is a zero that no parameter moves, not NaN times 0.
            total = result * count if count else torch.zeros_like(result, requires_grad=True)
            return Loss(total, count, "mean", count, samples)
        why = (
            f"the loss {self.name} returns one number and does not say of how many elements it is the mean, so it "
            f"cannot be split or merged: ts.Term({self.name}, reduction='mean', count=lambda output, target: ...) or "
            "reduction='sum' says it, or let it return its elements."
        )
        return Loss(result, 1.0, samples=samples, alone=why)

    def _counted(self, output: Any, target: Any) -> Count:
        """What `count` says, as a number: no gradient flows through it."""
        assert self.count is not None
        count = self.count(output, target)
        if isinstance(count, Tensor) and count.numel() == 1:
            return count.detach().reshape(())
        if isinstance(count, Tensor) or not hasattr(count, "__float__"):
            got = f"a tensor of shape {tuple(count.shape)}" if isinstance(count, Tensor) else type(count).__name__
            raise ConfigError(f"the count of the term {self.name} is {got}: return one number, such as mask.sum().")
        return count

    @property
    def foretold(self) -> bool:
        """Whether targets alone decide the count of this term: the same for every batch, also for an empty one."""
        if self.summed:
            return True
        return self.stock is not None and self.count is None and self.of is None and self.stock.foretold

    def count_of(self, target: Any) -> Count | None:
        """The count from the targets alone, or None where the outputs are needed."""
        if self.summed:
            return 1.0
        return self.stock.count_of(target) if self.stock is not None and self.foretold else None


class Objective:
    """`sum_k weight_k * total_k / count_k` over named terms, each with the denominator that its loss means.

    Args:
        *losses: losses or terms, named after their class or function.
        **terms: name=loss, name=(weight, loss) or name=Term(...).

    Calling it gives the `Loss` of one part of a batch; `a + b` merges two parts. Mean squared error over elements
    beside cross-entropy over tokens is exact under any split, because each keeps its own count.

    Raises:
        ConfigError: without a term, for two terms of one name, or for a term that is no loss.

    >>> import torch
    >>> objective = Objective(mse=nn.MSELoss(), mae=(0.5, nn.L1Loss()))
    >>> float(objective(torch.tensor([1.0, 4.0]), torch.tensor([0.0, 1.0])))
    6.0
    """

    def __init__(self, *losses: Any, **terms: Any) -> None:
        self.terms: dict[str, Term] = {}
        self.weights: dict[str, float] = {}
        # The names of the terms that are sums over the whole batch: read every step, so found once.
        self.sums: frozenset[str] = frozenset()
        for loss in losses:
            term = _as_term(loss)
            self._add(term.name, term)
        for name, given in terms.items():
            self._add(name, _as_term(given))
        if not self.terms:
            raise ConfigError("an objective needs at least one loss: ts.Objective(nn.MSELoss()).")

    def _add(self, name: str, term: Term) -> None:
        if name in self.terms:
            raise ConfigError(f"two terms are called {name}: name them, ts.Objective(first=..., second=...).")
        self.terms[name], self.weights[name] = term, term.weight
        if term.summed:
            self.sums |= {name}

    def __call__(self, output: Any, target: Any) -> Loss:
        """The loss of one part of a batch: total, count, mean, and the same of each term."""
        return mix(self.parts(output, target), self.weights)

    def parts(self, output: Any, target: Any) -> dict[str, Loss]:
        """The loss of each term, unweighted, before any division."""
        return {name: term(output, target) for name, term in self.terms.items()}

    def known_counts(self, targets: Sequence[Any]) -> dict[str, Count | None]:
        """The count of each term over several parts of a batch as far as their targets alone decide it, else None."""
        return {name: _added(term, targets) for name, term in self.terms.items()}

    def parameters(self) -> Iterator[nn.Parameter]:
        """Parameters that the losses themselves hold, such as those of `LinearCrossEntropyLoss`."""
        for term in self.terms.values():
            if isinstance(term.loss, nn.Module) and (term.loss._parameters or term.loss._modules):
                yield from term.loss.parameters()

    def refuse_split(self, why: str) -> None:
        """Raise for the first term that is known to couple samples, before any of the batch is computed."""
        for name, term in self.terms.items():
            if term.couples:
                raise CountError(
                    f"the term {name} couples the samples of a batch (couples=True), so {why} would change what it "
                    "means: give the whole batch at once."
                )

    @property
    def summed(self) -> bool:
        """Whether every term is a sum over the whole batch."""
        return len(self.sums) == len(self.terms)

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={term.weight:g} * {term.name}" for name, term in self.terms.items())
        return f"Objective({inner})"


def _added(term: Term, targets: Sequence[Any]) -> Count | None:
    if not term.foretold:
        return None
    found = [term.count_of(target) for target in targets]
    return 1.0 if term.summed else sum(count for count in found if count is not None)


def as_objective(given: Any) -> Objective:
    """An objective as it is, or one made of a single loss."""
    return given if isinstance(given, Objective) else Objective(given)


def _as_term(given: Any) -> Term:
    if isinstance(given, Term):
        return given
    weight, loss = 1.0, given
    if isinstance(given, tuple) and len(given) == 2 and not callable(given[0]):
        weight, loss = given
    if isinstance(loss, Term):
        return Term(loss.loss, _finite(weight) * loss.weight, loss.of, loss.couples, loss.reduction, loss.count)
    return Term(loss, weight)


def _name(loss: Any) -> str:
    if isinstance(loss, nn.Module):
        return type(loss).__name__
    name = getattr(loss, "__name__", None) or getattr(getattr(loss, "func", None), "__name__", None)
    return type(loss).__name__ if name is None else ("loss" if name == "<lambda>" else str(name))


def _finite(weight: Any) -> float:
    try:
        number = float(weight)
    except (TypeError, ValueError):
        raise ConfigError(f"the weight of a term must be a number, and {weight!r} is none.") from None
    if not math.isfinite(number):
        raise ConfigError(f"the weight of a term must be finite, and {number} is not.")
    return number


def _refuse_broadcast(name: str, result: Tensor, output: Any, target: Any) -> None:
    if not isinstance(output, Tensor) or not isinstance(target, Tensor) or output.numel() != target.numel():
        return
    if output.shape != target.shape and result.numel() > output.numel() and result.shape[:2] == (len(output),) * 2:
        raise ShapeError(broadcast_sentence(name, output, target))
