"""Whole steps of one shape through torch's compiler: one a call, or several of a small model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from truestep.core.batch import change
from truestep.core.errors import TraceError
from truestep.core.forward import Figures, Forward, Tensors
from truestep.core.inductor import loaded
from truestep.core.nesting import flat
from truestep.core.plans import draw
from truestep.core.program import trace
from truestep.core.rows import Rows
from truestep.core.trial import Window
from truestep.core.whole import Whole

if TYPE_CHECKING:
    from truestep.core.step import TrainStep

NEAR = {torch.float64: 1e-9, torch.float32: 1e-3}
"""What compiled steps may differ by, of the largest entry of a tensor: a bug is larger, rounding of ten steps less."""


class Compiled:
    """Some whole steps of one shape as one program; before it is taken, `load` a library that was built by its `plan`.

    Args:
        step: whose steps they are.
        window: what has been learnt of the shape, see `Traced`.
        tensors: parameters and buffers.
        batch: the micro-batches of one step; or of several, inputs and targets with the steps in front.
        times: how many steps.

    Raises:
        TraceError: where it cannot be compiled, in one sentence.
    """

    def __init__(
        self, step: TrainStep, window: Window, tensors: tuple[Tensors, Tensors], batch: Any, times: int
    ) -> None:
        if window.draws:
            raise TraceError("it draws random numbers, which come out otherwise when they are compiled.")
        if step.device.type != "cpu":
            raise TraceError(f"the model is on {step.device}, and steps are compiled for processors.")
        self.step, self.times = step, times
        self._run: Any = None
        forward = Forward(step, written=True)
        self._whole = Whole(step, forward, window.moving, times)
        self._state = {"params": tensors[0], "buffers": tensors[1], "states": window.moving.states}
        self._args = (self._state, batch, self._whole.numbers())
        self._program = trace(self._whole, self._args)
        assert forward.found is not None
        self.found: Figures = forward.found
        if times > 1 and (self.found.alone or any(loss.alone for loss, _ in self.found.metrics.values())):
            raise TraceError("a figure of it cannot be merged with that of another step.")
        self.plan = draw(self._program)
        self._moved = self._whole.moved(self._state)
        self._steps = [count for counts in window.moving.steps for count in counts]

    def load(self, path: str) -> None:
        """Use the library at `path`, after it has shown on copies that it ends where the program does.

        Raises:
            TraceError: where it does not, or is no library of this machine.
        """
        found = loaded(self._program, path)
        ends = []
        for program in (self._program, found):
            args = change(self._args, lambda leaf: leaf.detach().clone())
            try:
                with torch.no_grad():
                    ends.append(flat((program.run(*args), args))[0])
            except RuntimeError as error:
                raise TraceError("what was compiled does not run.") from error
        most = max(NEAR.get(tensor.dtype, 0.0) for tensor in self._state["params"].values())
        if not all(_near(one, other, most) for one, other in zip(*ends, strict=True)):
            raise TraceError("what was compiled ends on other numbers.")
        self._run = found.run

    def take(self, batch: Any) -> Rows | None:
        """Take the steps; None, and nothing has moved, where one of them has to be taken by itself."""
        step = self.step
        with torch.no_grad():
            try:
                new, figures = self._run(self._state, batch, self._whole.numbers())
            except RuntimeError:  # a label that is no class, say: the step itself finds the words
                return None
            columns = [figure.tolist() for figure in figures]
            if not all(columns[-1]):
                return None
            if new:
                torch._foreach_copy_(self._moved, new)  # pyright: ignore[reportPrivateImportUsage]
            if self._steps:
                torch._foreach_add_(self._steps, self.times)  # pyright: ignore[reportPrivateImportUsage]
        return Rows(self.found, columns, figures, step.objective.weights, step.updates.lr)


def _near(one: Tensor, other: Tensor, most: float) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not one.numel() or not one.is_floating_point():
        return torch.equal(one, other)
    a, b = one.double(), other.double()
    return bool(((a - b).abs() <= most * a.abs().max()).all())
