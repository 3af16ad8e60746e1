"""Some whole steps as one function of tensors: forward, backward, clipping, finite check and update, one after another.

What it is given moves in place, once, at the end. A step that is not finite, or counts nothing, moves nothing, and no
step after it does either: whoever calls takes that one by itself, which then finds the words for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from truestep.core.batch import Batch
from truestep.core.forward import Figures, Forward, Place, Tensors
from truestep.core.links import clip_factor
from truestep.core.moving import Moving

if TYPE_CHECKING:
    from truestep.core.step import TrainStep

State = dict[str, Any]
"""What moves: "params" (name -> parameter), "buffers" (name -> buffer), "states" (of each parameter that moves)."""


class Whole:
    """`(state, windows, numbers) -> row a step` of a step, as many steps as there are windows.

    Args:
        step: whose steps they are.
        forward: its pass, after it has been called once.
        moving: its update.

    A row has the figures of `Figures.rows` and metrics that are tensors, in their places, then the norm of the gradient,
    then 1 where the step was taken; all in float64. `numbers` has a row of hyper-parameters a step, see `numbers`.
    """

    def __init__(self, step: TrainStep, forward: Forward, moving: Moving) -> None:
        assert forward.found is not None
        self.forward, self.moving, self.limit = forward, moving, step.clip_norm
        self.names: list[str] = forward.names
        self.found: Figures = forward.found
        places = [(group, name) for group, names in enumerate(moving.names) for name in names]
        self._place = {each: number for number, each in enumerate(places)}

    def numbers(self, times: int) -> Tensor:
        """The numbers of the steps that come, as many rows: those of the groups as they are now, and counts that grow."""
        now = [value for group in self.moving.numbers() for value in group.values()]
        rows = torch.tensor([now] * times, dtype=torch.float64)
        for (_, name), place in self._place.items():
            if name == "step":
                rows[:, place] += torch.arange(times)
        return rows

    def __call__(self, state: State, windows: Sequence[Sequence[Batch]], numbers: Tensor) -> Tensor:
        """Take the steps."""
        now, rows = {**state, "alive": torch.ones((), dtype=torch.bool, device=numbers.device)}, []
        for window, row in zip(windows, numbers.unbind(), strict=True):
            now, figures = self._taken(now, window, row)
            rows.append(figures)
        for name in ("params", "buffers"):
            for key, tensor in state[name].items():
                if now[name][key] is not tensor:
                    tensor.copy_(now[name][key])
        for held, new in zip(state["states"], now["states"], strict=True):
            for key, tensor in held.items():
                tensor.copy_(new[key])
        return torch.stack(rows)

    def _taken(self, state: State, micros: Sequence[Batch], numbers: Tensor) -> tuple[State, Tensor]:
        buffers: Tensors = {name: buffer.clone() for name, buffer in state["buffers"].items()}
        tensors, norms, gradients = self.forward(state["params"], buffers, micros)
        norm = torch.stack([each.double() for each in norms]).square().sum().sqrt()
        alive = state["alive"] & self._sound(tensors, norm)
        if self.limit is not None:
            factor: Any = clip_factor(norm, self.limit)
            gradients = [gradient * factor.to(gradient.dtype) for gradient in gradients]
        params, states = dict(state["params"]), []
        for name, gradient, own, before in zip(self.names, gradients, self.moving.ones, state["states"], strict=True):
            hyper = {
                key: _spread(numbers[at], gradient) for (group, key), at in self._place.items() if group == own.group
            }
            counted = {"step": hyper.pop("step", torch.zeros((1,) * gradient.dim()))}
            new, after = own.rule.update(gradient, params[name], {**before, **counted}, hyper)
            params[name] = torch.where(alive, new, params[name])
            states.append({key: torch.where(alive, after[key], value) for key, value in before.items()})
        kept = {name: torch.where(alive, buffers[name], buffer) for name, buffer in state["buffers"].items()}
        row = torch.stack([*(each.double() for each in tensors), norm, alive.double()])
        return {"params": params, "buffers": kept, "states": states, "alive": alive}, row

    def _sound(self, tensors: Sequence[Tensor], norm: Tensor) -> Tensor:
        """Whether the step itself would go on: finite, and something counted."""
        size = len(self.found.names)
        totals, counts = (self.found.rows[k * size : (k + 1) * size] for k in range(2))
        sound = norm.isfinite()
        for total in totals:
            sound = sound & tensors[total.number].isfinite()
        asked = [tensors[count.number] != 0 for count in counts if isinstance(count, Place)]
        return sound & torch.stack(asked).any() if len(asked) == size else sound


def _spread(number: Tensor, like: Tensor) -> Tensor:
    """A number with as many dimensions as a parameter: of none it would be read."""
    return number.reshape((1,) * like.dim())


def state_of(params: Tensors, buffers: Tensors, states: Sequence[Mapping[str, Tensor]]) -> State:
    """The state as `Whole` takes it."""
    return {"params": params, "buffers": buffers, "states": list(states)}
