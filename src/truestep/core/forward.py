"""The forward and backward pass of a whole window of batches as a function of tensors: what `TrainStep` does, as is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from truestep.core.batch import Batch, rows
from truestep.core.errors import TraceError
from truestep.core.finite import gradient_norms
from truestep.core.gradients import Gradients, Pass, Tally, Whole
from truestep.core.loss import Count, Loss, Shares, tensor_shares
from truestep.core.model import Bound
from truestep.core.outcome import StepOut
from truestep.core.ranks import Ranks

if TYPE_CHECKING:
    from truestep.core.step import TrainStep

Tensors = dict[str, Tensor]


class _Moved:
    """What a pass asks of an optimizer: which tensors it moves."""

    summed = closure = False

    def __init__(self, parameters: list[Tensor]) -> None:
        self.parameters = parameters


@dataclass(slots=True)
class _Pass(Pass):
    """The pass of a step that reads no number from a tensor."""

    def __post_init__(self) -> None:
        self.short = False  # the short way reads the count as a number

    def _worth(self, whole: Whole) -> Shares:
        return Shares(1.0, tensor_shares(self.objective.weights, whole.counts))

    written: bool = False

    def seed(self, share: Count, total: Tensor) -> Tensor:
        if isinstance(share, Tensor):
            return share.to(total.dtype)
        # Made anew each time, not looked up: a record holds what the function itself wrote, a compiler takes it apart.
        make = torch.tensor if not self.written else partial(torch.full, ())
        return make(share, dtype=total.dtype, device=total.device)

    def _divide_late(self, tally: Tally, worth: Shares, late: Mapping[str, Gradients]) -> None:
        if late:
            raise TraceError(f"the count of {min(late)} is known only after the forward pass of the whole batch.")


@dataclass(slots=True)
class Figures:
    """What a window found besides its gradients, each figure a number or the place of its tensor in the results.

    `rows` are totals, counts and sizes of the terms in turn; `metrics` the losses of metrics with places for tensors.
    """

    names: tuple[str, ...]
    rows: tuple[Any, ...]
    metrics: Mapping[str, tuple[Loss, dict[str, int]]]
    alone: Mapping[str, str]
    samples: int


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a tensor in the results."""

    number: int


class Forward:
    """`(params, buffers, micros) -> (figures, norms, gradients)` of a step: pure but for the buffers, which it moves.

    Args:
        step: whose step it is; its tensors are left alone, but for those that require no gradient, which are held.
        written: write known numbers into the operations, for a compiler, instead of holding them as tensors.

    After a call `found` says what the figures mean, and `names` which gradients there are, in the order of the norms.
    """

    def __init__(self, step: TrainStep, written: bool = False) -> None:
        self.step, self.written = step, written
        names = {id(tensor): name for name, tensor in step.model.named_parameters()}  # pyright: ignore[reportAttributeAccessIssue, reportFunctionMemberAccess]
        self.moved = [names[id(tensor)] for tensor in step.updates.parameters]
        self.names: list[str] = []
        self.found: Figures | None = None

    def __call__(self, params: Tensors, buffers: Tensors, micros: Sequence[Batch]) -> tuple[list[Tensor], ...]:
        """Everything but the update."""
        step = self.step
        leaves = {name: tensor.detach().requires_grad_() for name, tensor in params.items()}
        moved: Any = _Moved([leaves[name] for name in self.moved if name in leaves])
        bound = Bound(step.model, {**leaves, **buffers})  # pyright: ignore[reportArgumentType]
        over = _Pass(bound, step.objective, moved, step.precision, Ranks(), step.metrics, self.written)
        tally = over.run(micros, self._whole(micros) if len(micros) != 1 else None, step.device)
        self.names = [name for name in self.moved if name in leaves and leaves[name].grad is not None]
        reached = [leaves[name] for name in self.names]
        figures = self._figures(tally)
        return figures, gradient_norms(reached), [_gradient(leaf) for leaf in reached]

    def _whole(self, micros: Sequence[Batch]) -> Whole:
        objective = self.step.objective
        objective.refuse_split("its split")
        counts = objective.known_counts([targets for _, targets in micros])
        return Whole(counts, float(sum(rows(inputs) or rows(targets) for inputs, targets in micros)))

    def _figures(self, tally: Tally) -> list[Tensor]:
        tensors: list[Tensor] = []

        def placed(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value if value is None else float(value)
            tensors.append(value.detach())
            return Place(len(tensors) - 1)

        rows_ = tuple(placed(value) for part in (tally.totals, tally.counts, tally.sizes) for value in part.values())
        metrics = {name: _placed(loss, placed) for name, loss in tally.metrics.items()}
        self.found = Figures(tuple(tally.totals), rows_, metrics, dict(tally.alone), int(tally.samples))
        return tensors


def _placed(loss: Loss, placed: Any) -> tuple[Loss, dict[str, int]]:
    found = {name: placed(getattr(loss, name)) for name in ("total", "count", "size")}
    if loss.terms:
        raise TraceError("a metric returns the loss of a whole objective.")
    found |= {name: getattr(loss, name) for name, value in found.items() if not isinstance(value, Place)}
    places = {name: place.number for name, place in found.items() if isinstance(place, Place)}
    return replace(loss, **dict.fromkeys(places, 0.0)), places


def _gradient(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None
    return leaf.grad


def told(
    found: Figures, row: Sequence[float], tensors: Sequence[Tensor], weights: Any, norm: float, lr: Any
) -> StepOut:
    """What a step did, from the figures of its window as plain numbers and as tensors."""
    size = len(found.names)
    values = [row[each.number] if type(each) is Place else each for each in found.rows]
    totals, counts, sizes = (dict(zip(found.names, values[k * size :], strict=False)) for k in range(3))
    metrics = {} if not found.metrics else measured(found, tensors)
    return StepOut(totals, counts, sizes, weights, metrics, found.samples, norm, lr, found.alone)


def measured(found: Figures, tensors: Sequence[Tensor]) -> dict[str, Loss]:
    """The losses of the metrics."""
    metrics = found.metrics.items()
    return {name: replace(loss, **{k: tensors[n] for k, n in places.items()}) for name, (loss, places) in metrics}
