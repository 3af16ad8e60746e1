"""The step of a `TrainStep` without autograd and without the optimizer's own loop, on the same bits.

Forward, losses and backward of a window are one program, the update another; between them stands the finite check, as
in the step itself. Before a window of some shape is taken so, one is taken twice from one state, by the step on the
user's tensors and by the programs on copies: only where all of it is equal to the last bit do the programs take over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from truestep.core.batch import Batch
from truestep.core.eligible import mark, refusal
from truestep.core.errors import TraceError
from truestep.core.forward import Tensors
from truestep.core.moving import NotYet
from truestep.core.outcome import StepOut
from truestep.core.streak import Streak
from truestep.core.trial import Draws, Trial, Window, shape_of, tensors_of

if TYPE_CHECKING:
    from truestep.core.step import TrainStep

MOST_MICROS = 16
"""Forward passes that are written out in one program: it grows with each."""


class Traced:
    """Takes windows of a step as programs, those of a shape after `learn` has found them equal.

    Args:
        step: whose windows these are.
    """

    def __init__(self, step: TrainStep) -> None:
        self.step = step
        self._known: dict[Any, Window] = {}
        self._mark: Any = None
        self._params: Tensors = {}
        self._buffers: Tensors = {}

    def refresh(self) -> bool:
        """Look at the step anew, after somebody else could have changed it; says whether all has to be learnt again."""
        changed = bool(self._known) and mark(self.step) != self._mark
        if changed:
            self._known.clear()
        return changed

    def knows(self, shape: Any) -> bool:
        """Whether windows of this shape are taken as programs."""
        return shape in self._known

    def window(self, shape: Any) -> Window:
        """What is known of a shape."""
        return self._known[shape]

    def in_a_row(self, shape: Any) -> bool:
        """Whether whole batches of a shape can be taken without looking up between them, see `Streak`."""
        window = self._known.get(shape)
        if window is None or not window.pure or self.step.device.type == "mps":
            return False
        return not window.found.alone and not any(loss.alone for loss, _ in window.found.metrics.values())

    def streak(self, shape: Any) -> Streak:
        """What takes them."""
        return Streak(self.step, self._known[shape], self.tensors, shape)

    @property
    def tensors(self) -> tuple[Tensors, Tensors]:
        """Parameters and buffers, as they lie."""
        return self._params, self._buffers

    def forget(self, shape: Any) -> None:
        """Take windows of this shape as ever from here on."""
        self._known.pop(shape, None)

    def take(self, micros: Sequence[Batch], before: Sequence[Tensor], shape: Any) -> StepOut:
        """One step of a shape that is known; `before` are the running statistics as they were before it."""
        window, step = self._known[shape], self.step
        drawn = Draws(step.device) if window.draws else None
        with torch.no_grad():
            try:
                out, gradients = window.found_by(step, self._params, self._buffers, micros)
            except (RuntimeError, IndexError):  # a label that is no class, say: the step itself finds the words
                out, gradients = None, []
            if out is not None:
                moving = window.moving
                for parameter, gradient in zip(moving.parameters, gradients, strict=True):
                    parameter.grad = gradient
                window.move(step, moving.parameters, gradients, moving.states, moving.steps, out.grad_norm)
                return out
        # What is not finite, or counted nothing, is told by the step itself, from the state before.
        if drawn is not None:
            drawn.restore()
        step.restore(before)
        return step.eagerly(micros)

    def learn(self, micros: Sequence[Batch], shape: Any) -> tuple[StepOut, str]:
        """Take one step as ever, and find out whether programs take it on the same bits; if not, say why.

        Where that cannot be found out on this step, nothing is said and nothing known.
        """
        self.refresh()
        why = refusal(self.step)
        if not why and len(micros) > MOST_MICROS:
            why = f"it has {len(micros)} parts."
        if why:
            return self.step.eagerly(micros), why
        trial = None
        try:
            trial = Trial(self.step, micros)
        except NotYet:
            pass
        except Exception as error:  # noqa: BLE001 - a trial, short of memory say, costs the step nothing
            why = str(error) if isinstance(error, TraceError) else f"{type(error).__name__}: {error}"
        out = self.step.eagerly(micros)
        if trial is None or out.skipped:
            return out, why
        if not trial.same(out):
            return out, "a program of it does not end on the same bits."
        self._known[shape], self._mark = trial.window, mark(self.step)
        self._params, self._buffers = tensors_of(self.step)
        return out, ""


class AtOnce:
    """Takes the windows of a step as programs from the second of each shape on, without asking whether it is repaid.

    Why it cannot is added to the notes of the step, once.
    """

    def __init__(self, step: TrainStep) -> None:
        self.traced = Traced(step)
        self._refused: set[Any] = set()

    def take(self, micros: Sequence[Batch], before: Sequence[Tensor]) -> StepOut:
        """See `TrainStep.window`."""
        traced, shape = self.traced, shape_of(micros)
        traced.refresh()
        if traced.knows(shape):
            return traced.take(micros, before, shape)
        if shape in self._refused:
            return traced.step.eagerly(micros)
        out, why = traced.learn(micros, shape)
        if why:
            self._refused.add(shape)
            sentence = f"the steps are taken without a program of their own: {why}"
            if sentence not in traced.step.notes:
                traced.step.notes.append(sentence)
        return out
