"""What most steps are: a whole batch on one rank, one loss of torch, optimizers of torch, full precision.

Beside the arithmetic of a small network each object and each call costs as much as an operation, so here are none that
such a step can do without.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from truestep.core.bare import backward
from truestep.core.batch import Batch, rows
from truestep.core.finite import clip_, exact_norm, gradient_norms, read
from truestep.core.forward import Figures, Place
from truestep.core.gradients import Pass, observed, refuse_detached, seed_of
from truestep.core.loss import Loss, share_of, value
from truestep.core.model import forward
from truestep.core.outcome import StepOut
from truestep.core.rows import Rows

if TYPE_CHECKING:
    from truestep.core.step import TrainStep


def formed(over: Pass, inputs: Any, targets: Any, device: torch.device) -> StepOut:
    """Leave the gradient of such a step in `.grad`, and return its figures: `Pass.run`, told for this case alone."""
    row, metrics = _figures(over, inputs, targets, device)
    return _out(over, row, metrics, rows(inputs) or rows(targets))


def _figures(over: Pass, inputs: Any, targets: Any, device: torch.device) -> tuple[list[float], dict[str, Loss]]:
    """Total, count, size and the norm of the gradient, which is left in `.grad`; and the metrics."""
    updates, objective = over.updates, over.objective
    updates.clear()
    ((name, term),) = objective.terms.items()
    output = forward(over.model, inputs)
    total, size = term.measure(output, targets)
    if not total.requires_grad:
        refuse_detached([name])
    summed = name in objective.sums
    count = 1.0 if summed else size
    backward([total], [seed_of(share_of(objective.weights[name], count), total)])
    metrics = observed(over.metrics, output, targets) if over.metrics else {}
    moved = updates.parameters
    row = read([total.detach(), count, size if summed else 0, *gradient_norms(moved)], device)
    reach = math.hypot(*row[3:])
    return [*row[:3], reach if math.isfinite(reach) else exact_norm(moved)], metrics


def _out(over: Pass, row: Sequence[float], metrics: dict[str, Loss], samples: int) -> StepOut:
    name, updates = next(iter(over.objective.terms)), over.updates
    totals, counts, sizes = {name: row[0]}, {name: row[1]}, {name: row[2]}
    return StepOut(totals, counts, sizes, over.objective.weights, metrics, samples, value(row[3], 1.0), updates.lr, {})


FIGURES = Place(0), Place(1), Place(2)
"""Where total, count and size stand in a row."""


class Short:
    """Takes batch after batch by such steps, on the bits of `TrainStep.window`, where nobody looks between two.

    Args:
        step: whose steps they are; it has no metrics and no running statistics, no closure, and no schedule that moves
            between two steps.
    """

    def __init__(self, step: TrainStep) -> None:
        self.step = step
        self._rows: list[list[float]] = []
        self._samples = 0

    def run(self, batches: Sequence[Batch]) -> None:
        """Take them, up to the first that is of another size, or whose figures are not sound.

        That one has not moved the weights; its figures are kept for the step that is to take it otherwise.
        """
        step, found = self.step, self._rows
        over, device, limit = step._pass, step.device, step.clip_norm
        weight = next(iter(over.objective.weights.values()))
        for inputs, targets in batches:
            samples = rows(inputs) or rows(targets)
            if samples != self._samples:
                if found:
                    return
                self._samples = samples
            try:
                row, _ = _figures(over, inputs, targets, device)
            except BaseException:
                step.updates.clear()
                raise
            total, count, _, norm = row
            if not count or not math.isfinite(weight * value(total, count)) or not math.isfinite(norm):
                step.unsound = inputs, targets, _out(over, row, {}, samples)
                return
            if limit is not None:
                clip_(step.updates.parameters, limit, norm)
            step.updates.apply(1.0)
            step.taken += 1
            found.append(row)

    def end(self) -> Rows | None:
        """What was found since the last time; None where no step was taken."""
        if not self._rows:
            return None
        columns = [*zip(*self._rows, strict=True), [1.0] * len(self._rows)]
        objective = self.step.objective
        figures = Figures(tuple(objective.terms), FIGURES, {}, {}, self._samples)
        self._rows = []
        return Rows(figures, columns, (), objective.weights, self.step.updates.lr)
