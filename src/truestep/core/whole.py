"""Some whole steps as one function of tensors: forward, backward, clipping, finite check and update, one after another.

Everything is written in place, so that nothing is made a call: the state that is given, and the figures. One step moves
nothing where it is not finite or counts nothing. Several move their state in every case: it is a copy, which whoever
calls takes over only where each of them was sound, and else takes them one by one, which finds the step that was not
before any weight has moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from truestep.core.batch import Batch, change
from truestep.core.forward import Forward, Place, Tensors
from truestep.core.links import clip_factor
from truestep.core.moving import Moving

if TYPE_CHECKING:
    from truestep.core.step import TrainStep

State = dict[str, Any]
"""What moves: "params" (name -> parameter), "buffers" (name -> buffer), "states" (of each parameter that moves)."""


KEPT = 16
"""Equal numbers whose largest a compiler keeps: arithmetic alone it would do anew for each few weights."""


class Whole:
    """`(state, batch, numbers) -> (figures, sound)` of a step, as many steps as it is made for; the state is moved.

    Args:
        step: whose steps they are.
        forward: its pass, which writes known numbers into the operations.
        moving: its update.
        times: how many steps. One step is given its micro-batches; of several, each a whole batch, all tensors of
            inputs and targets have the steps as their first dimension.

    The figures are a row each with an entry a step, float64: those of the window in their places, then the norm of the
    gradient, then whether the step was sound. `numbers` has a row of hyper-parameters a step, see `numbers`.
    """

    def __init__(self, step: TrainStep, forward: Forward, moving: Moving, times: int) -> None:
        self.forward, self.moving, self.limit, self.times = forward, moving, step.clip_norm, times
        places = [(group, name) for group, names in enumerate(moving.names) for name in names]
        self._place = {each: number for number, each in enumerate(places)}
        self._counts = [number for (_, name), number in self._place.items() if name == "step"]
        self.dtypes: list[torch.dtype] = []
        self._last: tuple[Any, Sequence[Tensor]] = None, ()

    def numbers(self, calls: int = 1) -> Sequence[Tensor]:
        """The numbers of the calls that come, a row a step: those of the groups as they are now, and growing counts."""
        now = [value for group in self.moving.numbers() for value in group.values()], calls
        if now != self._last[0]:
            rows = torch.tensor(now[0], dtype=torch.float64).repeat(calls * self.times, 1)
            for place in self._counts:
                rows[:, place] += torch.arange(len(rows))
            self._last = now, rows.split(self.times)
        return self._last[1]

    def __call__(self, state: State, batch: Any, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Take the steps."""
        several = [[change(batch, lambda leaf, n=n: leaf[n])] for n in range(self.times)] if self.times > 1 else [batch]
        now, rows = state, list[list[Tensor]]()
        for number, window in enumerate(several):
            now, figures = self._taken(now, window, numbers[number])
            rows.append(figures)
        *figures, squares = [torch.stack(each) for each in zip(*rows, strict=True)]
        norms = squares.sqrt()
        self.dtypes = [figure.dtype for figure in figures]
        sound = self._sound(figures, norms)
        for held, new in zip(self.moved(state), self.moved(now), strict=True):
            held.copy_(torch.where(sound[0], new, held) if self.times == 1 else new)
        return torch.stack([figure.double() for figure in [*figures, norms, sound]]), sound

    def moved(self, state: State) -> list[Tensor]:
        """All that a step moves, in one order."""
        params = [state["params"][name] for name in self.forward.names]
        return [*params, *state["buffers"].values(), *(each for one in state["states"] for each in one.values())]

    def _taken(self, state: State, micros: Sequence[Batch], numbers: Tensor) -> tuple[State, list[Tensor]]:
        buffers: Tensors = {name: buffer.clone() for name, buffer in state["buffers"].items()}
        tensors, _, gradients = self.forward(state["params"], buffers, micros)
        square: Any = sum(gradient.square().sum() for gradient in gradients)
        if self.limit is not None:
            factor: Any = clip_factor(square.double().sqrt(), self.limit)
            factor = factor.expand(KEPT).amax()
            gradients = [gradient * factor.to(gradient.dtype) for gradient in gradients]
        params, states = dict(state["params"]), []
        for name, gradient, own, before in zip(
            self.forward.names, gradients, self.moving.ones, state["states"], strict=True
        ):
            hyper = {
                key: _spread(numbers[at], gradient) for (group, key), at in self._place.items() if group == own.group
            }
            hyper.pop("so_far", None)  # the tensor that it is read from moves along
            counted = {"step": hyper.pop("step", torch.zeros((1,) * gradient.dim()))}
            after: Any
            params[name], after = own.rule.update(gradient, params[name], {**before, **counted}, hyper)
            states.append({key: after[key].reshape(held.shape) for key, held in before.items()})
        moved = {"params": params, "buffers": buffers, "states": states}
        return moved, [*tensors, square.double()]

    def _sound(self, tensors: Sequence[Tensor], norm: Tensor) -> Tensor:
        """Whether each step itself would go on: finite, and something counted."""
        found = self.forward.found
        assert found is not None
        size = len(found.names)
        totals, counts = (found.rows[k * size : (k + 1) * size] for k in range(2))
        sound = norm.isfinite()
        for total in totals:
            sound = sound & tensors[total.number].isfinite()
        asked = [tensors[count.number] != 0 for count in counts if isinstance(count, Place)]
        return sound & torch.stack(asked).any(0) if len(asked) == size else sound


def _spread(number: Tensor, like: Tensor) -> Tensor:
    """A number with as many dimensions as a parameter: of none it would be read."""
    return number.reshape((1,) * like.dim())
