"""Many steps of one shape as programs, one after another, without what stands between two steps of a loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from truestep.core.batch import Batch
from truestep.core.finite import read
from truestep.core.forward import Place, Tensors
from truestep.core.links import clip_factor
from truestep.core.rows import Rows
from truestep.core.trial import Window, shape_of

if TYPE_CHECKING:
    from truestep.core.step import TrainStep


class Streak:
    """Takes batch after batch by the programs of a window, on the bits of `Traced.take`.

    For those who have made sure that nobody looks between two of the steps, and that a batch is a window.

    Args:
        step: whose steps they are.
        window: a window of one batch that draws nothing, and moves no buffer.
        tensors: parameters and buffers, as they lie.
        shape: what it is known by, see `shape_of`.
    """

    def __init__(self, step: TrainStep, window: Window, tensors: tuple[Tensors, Tensors], shape: Any) -> None:
        assert window.pure
        self.step, self._window, self._tensors, self._shape = step, window, tensors, shape
        size = len(window.found.names)
        self._counts = [count.number for count in window.found.rows[size : 2 * size] if isinstance(count, Place)]
        self._clear()

    def _clear(self) -> None:
        self._rows: list[list[float]] = []
        self._norms: list[float] = []
        self._figures: list[list[Tensor]] = []
        self._gradients: list[Tensor] = []

    def run(self, batches: Sequence[Batch]) -> None:
        """Take them, up to the first that has to be taken otherwise: before that nothing has moved."""
        take, shape = self._taking(), self._shape
        # Autograd never sees what is made in here; what is kept is copied.
        with torch.inference_mode():
            for batch in batches:
                if shape_of([batch]) != shape or not take(batch):
                    return

    def _taking(self) -> Callable[[Batch], bool]:
        """A function that takes one step, and says whether it could."""
        step, window, moving = self.step, self._window, self._window.moving
        (params, buffers), forward, update = self._tensors, window.forward.run, window.update.run
        parameters, states, steps, limit = moving.parameters, moving.states, moving.steps, step.clip_norm
        # Nobody changes a hyper-parameter meanwhile; the numbers of steps grow.
        numbers, grow = moving.numbers(), any("step" in names for names in moving.names)
        counts, device, keep = self._counts, step.device, bool(window.found.metrics)

        def take(batch: Batch) -> bool:
            try:
                tensors, norms, gradients = forward(params, buffers, [batch])
            except (RuntimeError, IndexError):  # a label that is no class, say: the step itself finds the words
                return False
            row = read([*tensors, *norms], device)
            reach = math.hypot(*row[len(tensors) :])
            # What is not finite, or counts nothing, is left to the step itself.
            if not math.isfinite(sum(row)) or not math.isfinite(reach) or not all(map(row.__getitem__, counts)):
                return False
            clip = 1.0 if limit is None else float(clip_factor(reach, limit))
            update(parameters, gradients, states, steps, moving.numbers() if grow else numbers, clip)
            self._gradients = gradients
            self._rows.append(row)
            self._norms.append(reach)
            if keep:
                self._figures.append(tensors)
            return True

        return take

    def end(self) -> Rows | None:
        """What was found since the last time, with the last gradients in their places; None where no step was taken."""
        if not self._norms:
            return None
        window, norms = self._window, self._norms
        for parameter, gradient in zip(window.moving.parameters, self._gradients, strict=True):
            parameter.grad = gradient.clone()
        columns = [*zip(*self._rows, strict=True), norms, [1.0] * len(norms)]
        tensors = [[each.clone() for each in column] for column in zip(*self._figures, strict=True)]
        self._clear()
        return Rows(window.found, columns, tensors, self.step.objective.weights, self.step.updates.lr)
