"""Other ways to take the same step, each measured against the step on the whole batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from truestep.core.batch import Batch, change, rows, take
from truestep.core.kinds import as_tuple, ignored_index, with_reduction
from truestep.core.loss import Loss
from truestep.core.model import forward
from truestep.core.objective import Objective, Term
from truestep.core.step import TrainStep
from truestep.explain.handmade import undone
from truestep.explain.measure import caught, dense, relative

MANY = 64  # samples that are taken one by one at most: each is a pass of its own
Measure = Callable[[TrainStep, Batch], float]


@dataclass(frozen=True, slots=True)
class Trial:
    """A claim, and how to measure the relative error of the gradient; `parts`: other samples share a pass."""

    claim: str
    measure: Measure
    parts: bool = False


def trials(step: TrainStep, batch: Batch, samples: int) -> Iterator[Trial]:
    """Every claim about the gradient that this step and batch allow."""
    yield Trial("the gradient is that of torch's own backward pass on the whole batch", _by_torch)
    if samples > 1:
        for size in _sizes(samples):
            yield _split(size, samples)
        yield _window(samples)
        yield ORDER
    labels = _ignorable(step.objective, batch[1])
    if labels is not None:
        yield Trial("padding with ignored targets changes nothing", _padded(labels), parts=True)
    for name, term in step.objective.terms.items():
        if term.stock is not None or _has_elements(step, term, batch):
            yield _reductions(name, term)


def forced(objective: Objective) -> Objective:
    """The same terms, split as if each part of a batch were its own mean: what a split would do to a coupled loss."""
    return Objective(**{name: _uncoupled(term) for name, term in objective.terms.items()})


def _uncoupled(term: Term) -> Term:
    stated = term.stock is not None or term.reduction == "sum" or term.count is not None
    count = term.count if stated else (lambda output, target: max(rows(target), rows(output)))
    return Term(term.loss, term.weight, term.of, False, term.reduction, count)


def _sizes(samples: int) -> list[int]:
    """One by one, a size that leaves a smaller rest, and halves."""
    uneven = [size for size in range(max(2, samples // 3), samples) if samples % size]
    ragged = sorted(uneven, key=lambda size: samples % size < 2)[:1]  # batch normalisation refuses a rest of one
    return sorted({1, *ragged, (samples + 1) // 2} - {samples})


def _split(size: int, samples: int) -> Trial:
    used = min(samples, MANY * size)
    rest = f", the last of {used % size}" if used % size else ""
    some = f" (the first {used} samples)" if used < samples else ""

    def measure(step: TrainStep, batch: Batch) -> float:
        part = take(batch, slice(0, used)) if used < samples else batch
        return relative(caught(step, [part], size).gradients, caught(step, [part]).gradients)

    return Trial(f"micro-batches of {size}{rest} give the step of the whole batch{some}", measure, parts=True)


def _window(samples: int) -> Trial:
    first = max(1, 2 * samples // 3)

    def measure(step: TrainStep, batch: Batch) -> float:
        parts = [take(batch, slice(0, first)), take(batch, slice(first, samples))]
        return relative(caught(step, parts).gradients, caught(step, [batch]).gradients)

    claim = f"two batches of {first} and {samples - first} accumulated equal one of {samples}"
    return Trial(claim, measure, parts=True)


def _in_other_order(step: TrainStep, batch: Batch) -> float:
    samples, device = rows(batch[0]) or rows(batch[1]), step.device
    order = torch.cat([torch.arange(1, samples, 2), torch.arange(0, samples, 2)]).flip(0).to(device)
    return relative(caught(step, [take(batch, order)]).gradients, caught(step, [batch]).gradients)


ORDER = Trial("the order of the samples changes nothing", _in_other_order)


def _shaken(step: TrainStep, batch: Batch) -> float:
    """How far the gradient moves with the last digit of every weight: no computation of it is better than that."""
    whole = caught(step, [batch])
    with undone(step):
        for parameter in step.updates.parameters:
            signs = 1.0 - 2 * (torch.arange(parameter.numel(), device=parameter.device) % 2)
            signs = signs.reshape(parameter.shape).to(parameter.dtype)
            with torch.no_grad():
                parameter.mul_(1 + torch.finfo(parameter.dtype).eps * signs)
        return relative(caught(step, [batch]).gradients, whole.gradients)


SHAKEN = Trial("the last digit of the weights", _shaken)


def _ignorable(objective: Objective, targets: Any) -> int | None:
    """The label that every term leaves out, where targets are class labels."""
    stocks = [term.stock for term in objective.terms.values() if term.of is None and term.count is None]
    classes = (nn.CrossEntropyLoss, nn.NLLLoss, nn.LinearCrossEntropyLoss)
    labels = {ignored_index(one) for one in stocks if one is not None and isinstance(one.module, classes)}
    known = len(labels) == 1 and all(s is not None and isinstance(s.module, classes) for s in stocks)
    integers = isinstance(targets, Tensor) and targets.dim() and targets.dtype == torch.int64
    return labels.pop() if known and integers and len(stocks) == len(objective.terms) else None


def _padded(label: int) -> Measure:
    def measure(step: TrainStep, batch: Batch) -> float:
        inputs = change(batch[0], lambda leaf: torch.cat([leaf, leaf[:2]]))
        targets = torch.cat([batch[1], torch.full_like(batch[1][:2], label)])
        return relative(caught(step, [(inputs, targets)]).gradients, caught(step, [batch]).gradients)

    return measure


def _reductions(name: str, term: Term) -> Trial:
    """The mean times what it divides by is the sum, and so is the mean of the elements times their number."""
    if term.stock is None:
        summed, others = Term(term.loss, 1.0, term.of, reduction="sum"), [Term(term.loss, 1.0, term.of)]
    else:
        like = {each: with_reduction(term.stock.module, each) for each in ("sum", "mean", "none")}
        summed, *others = [Term(module, 1.0, term.of) for module in like.values()]

    def measure(step: TrainStep, batch: Batch) -> float:
        whole = caught(step, [batch], objective=Objective(**{name: summed}))
        expected = [whole.number * gradient for gradient in whole.gradients]
        found = [caught(step, [batch], objective=Objective(**{name: other})) for other in others]
        sums = [[one.out.counts[name] * gradient for gradient in one.gradients] for one in found]
        return max(relative(one, expected) for one in sums)

    which = "sum and mean" if term.stock is None else "sum, mean and none"
    return Trial(f"{which} of {name} agree after their factor", measure)


def _has_elements(step: TrainStep, term: Term, batch: Batch) -> bool:
    """Whether a function written by hand returns elements, which can be summed or averaged."""
    with undone(step), torch.no_grad(), step.precision.autocast():
        result = _result(term, forward(step.model, batch[0]), batch[1])
    return isinstance(result, Tensor) and result.dim() > 0


def _by_torch(step: TrainStep, batch: Batch) -> float:
    """The gradient that `sum_k weight_k * loss_k` has in torch alone, in one pass."""
    with undone(step):
        with step.precision.autocast():
            output = forward(step.model, batch[0])
        terms = step.objective.terms.values()
        value = torch.stack([term.weight * _value(term, output, batch[1]) for term in terms]).sum()
        moved = [p for p in step.updates.parameters if p.requires_grad]
        scale = 1.0 if step.precision.scaler is None else 2.0**10  # float16 gradients underflow below 6e-8
        gradients = dict(zip(moved, torch.autograd.grad(scale * value, moved, allow_unused=True), strict=True))
        found = [dense(gradients.get(p), p) / scale for p in step.updates.parameters]
    whole = caught(step, [batch])
    number = whole.number if step.objective.summed else 1.0
    return relative([number * gradient for gradient in whole.gradients], found)


def _result(term: Term, output: Any, target: Any) -> Any:
    if term.of is not None:
        arguments = as_tuple(term.of(output, target))
    else:
        arguments = (output, target) if term.stock is None else term.stock.arguments(output, target)
    return (term.loss if term.stock is None else term.stock.module)(*arguments)


def _value(term: Term, output: Any, target: Any) -> Tensor:
    """What torch gives for this term on the whole batch."""
    if term.count is not None and term.stock is not None:
        term = Term(with_reduction(term.stock.module, "sum"), 1.0, term.of, count=term.count)
    result = _result(term, output, target)
    if isinstance(result, Loss):
        return result.mean
    if term.reduction == "sum" or (term.count is not None and (result.dim() or term.stock is not None)):
        return result.sum() / (1.0 if term.count is None else term.count(output, target))
    return result.mean()
