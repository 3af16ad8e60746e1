"""Whole steps of one shape through torch's compiler: one a call, or several of a small model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from truestep.core.batch import Batch, change
from truestep.core.errors import TraceError
from truestep.core.forward import Figures, Forward, Tensors
from truestep.core.inductor import loaded
from truestep.core.nesting import flat, rebuilt
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
        micros: the micro-batches of a step; of several, each is a whole batch like the one that is given.
        times: how many steps.

    Raises:
        TraceError: where it cannot be compiled, in one sentence.
    """

    def __init__(
        self, step: TrainStep, window: Window, tensors: tuple[Tensors, Tensors], micros: Sequence[Batch], times: int
    ) -> None:
        if window.draws:
            raise TraceError("it draws random numbers, which come out otherwise when they are compiled.")
        if step.device.type != "cpu":
            raise TraceError(f"the model is on {step.device}, and steps are compiled for processors.")
        self.step, self.times = step, times
        self._run: Any = None
        forward = Forward(step, written=True)
        self._whole = whole = Whole(step, forward, window.moving, times)
        moved = {"params": tensors[0], "buffers": tensors[1], "states": window.moving.states}
        # Several steps move a copy, since one of them may turn out not to be sound when others have moved it.
        state = moved if times == 1 else change(moved, _copy)
        batch = list(micros) if times == 1 else change(micros[0], lambda leaf: _in_front(leaf, times))
        numbers = whole.numbers()[0]
        self._figures = torch.zeros_like(whole(change(state, _copy), batch, numbers)[0]).unsqueeze(0)
        self._each = self._figures.unbind()
        args = (state, batch, numbers, self._each[0])
        self._program = trace(self._written, args, {})  # torch's compiler has rewrites of its own
        assert forward.found is not None
        self.found: Figures = forward.found
        if times > 1 and (self.found.alone or any(loss.alone for loss, _ in self.found.metrics.values())):
            raise TraceError("a figure of it cannot be merged with that of another step.")
        self.plan = draw(self._program)
        self._moved, self._copies = whole.moved(moved), whole.moved(state) if times > 1 else []
        self._steps = [count for counts in window.moving.steps for count in counts]
        given = flat(args)[0]
        self._inputs = [*given, *self._program.held]
        self._new = slice(len(flat(state)[0]), len(given))
        self._likes: list[Any] = [replace(like, strict=True) for like in self._program.given[self._new][:-2]]

    def _written(self, state: Any, batch: Any, numbers: Tensor, figures: Tensor) -> list[Tensor]:
        found, sound = self._whole(state, batch, numbers)
        figures.copy_(found)
        # What is returned is worked out once; else torch's compiler takes the root of the norm again for each weight.
        return [sound] if self.times == 1 else []

    def load(self, path: str) -> None:
        """Use the library at `path`, after it has shown on copies that it ends where the program does.

        Raises:
            TraceError: where it does not, or is no library of this machine.
        """
        run, ends, place = loaded(path), [], self._new.stop - 1
        for one in (self.plainly, run):
            inputs = [_copy(tensor) for tensor in self._inputs]
            try:
                with torch.no_grad():
                    one(inputs)
            except RuntimeError as error:
                raise TraceError("what was compiled does not run.") from error
            ends.append([*inputs[:place], *inputs[place]])
        most = max(NEAR.get(parameter.dtype, 0.0) for parameter in self._moved)
        if not all(_near(one, other, most) for one, other in zip(*ends, strict=True)):
            raise TraceError("what was compiled ends on other numbers.")
        self._run = run

    def plainly(self, inputs: list[Tensor]) -> None:
        """What the library is to do, by torch's own operations."""
        self._program.run(*rebuilt(self._program.takes, inputs))

    def take(self, calls: Sequence[Sequence[Tensor]]) -> Rows | None:
        """Take the steps of some calls, of each of which the tensors of its batch are given in order; as many as one
        where a call is one step.

        None, and nothing has moved, where one of the steps has to be taken by itself.
        """
        for like, leaf in zip(self._likes, calls[0], strict=True):
            if leaf.stride() != like.stride and not like.fits(leaf):
                return None
        inputs, size = self._inputs.copy(), len(calls)
        if len(self._each) < size:
            self._figures = self._figures.new_zeros(size, *self._figures.shape[1:])
            self._each = self._figures.unbind()
        with torch.no_grad():
            if self._copies:
                torch._foreach_copy_(self._copies, self._moved)  # pyright: ignore[reportPrivateImportUsage]
            rows = zip(calls, self._whole.numbers(size), self._each, strict=False)
            try:
                for batch, numbers, figures in rows:
                    inputs[self._new] = (*batch, numbers, figures)
                    self._run(inputs)
            except RuntimeError:  # a label that is no class, say: the step itself finds the words
                return None
            figures = self._each[0] if size == 1 else self._figures[:size].transpose(0, 1).flatten(1)
            columns = figures.tolist()
            if not all(columns[-1]):
                return None
            if self._copies:
                torch._foreach_copy_(self._moved, self._copies)  # pyright: ignore[reportPrivateImportUsage]
            if self._steps:
                torch._foreach_add_(self._steps, size * self.times)  # pyright: ignore[reportPrivateImportUsage]
        shown = zip(figures, self._whole.dtypes, strict=False) if self.found.metrics else ()
        tensors = [figure.to(dtype, copy=True) for figure, dtype in shown]
        return Rows(self.found, columns, tensors, self.step.objective.weights, self.step.updates.lr)


def _in_front(leaf: Tensor, times: int) -> Tensor:
    return leaf.expand(times, *leaf.shape).contiguous()


def _copy(leaf: Tensor) -> Tensor:
    return leaf.detach().clone()


def _near(one: Tensor, other: Tensor, most: float) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not one.numel() or not one.is_floating_point():
        return torch.equal(one, other)
    a, b = one.double(), other.double()
    return bool(((a - b).abs() <= most * a.abs().max()).all())
