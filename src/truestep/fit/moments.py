"""The moments of optimizers, looked at before a step: the step itself looks at losses and gradients only."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.optim import LBFGS

from truestep.core.errors import NonFiniteError
from truestep.core.updates import TorchUpdates

if TYPE_CHECKING:
    from truestep.core.outcome import StepOut
    from truestep.fit.loop import Loop

LARGE = 1e15  # gradients of this norm have squares far below what float32 can hold


class Moments:
    """Refuses a step whose moments are not finite: they would reach the weights.

    To read every moment before every step costs a small network a twelfth of its time. Finite moments and a finite
    gradient of moderate size give finite moments in torch's own optimizers, so those that nobody has written to since
    the step before (their version is the same) need not be read again. A write that torch does not count, such as
    through `.data`, is found when the state is saved.
    """

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def check(self, loop: Loop, saved: int | None) -> None:
        """Raise where a moment is not finite; `saved` is the step of the last checkpoint.

        Raises:
            NonFiniteError: naming the moment and its parameter.
        """
        seen = self._seen
        held = [one for one in _moments(loop.step.updates) if seen.get(id(one[2])) != one[2]._version]
        if not held or all(math.isfinite(norm) for norm in _norms([moment for _, _, moment in held])):
            return
        for name, parameter, moment in held:
            if not torch.isfinite(moment).all():
                last = "" if saved is None else f"; step {saved} was saved last"
                raise NonFiniteError(
                    f"step {loop.step.taken + 1}: {name} of {loop.step.names.get(id(parameter), 'a parameter')} in the "
                    f"optimizer is not finite; the weights are as they were before this step{last}."
                )

    def trust(self, loop: Loop, out: StepOut) -> None:
        """Note the moments that this step has left and that can only be finite."""
        self._seen = {}
        if out.skipped or not out.grad_norm < LARGE or not _stock(loop.step.updates):
            return
        for _, _, moment in _moments(loop.step.updates):
            if moment.dtype is torch.float32 or moment.dtype is torch.float64:
                self._seen[id(moment)] = moment._version


def _stock(updates: object) -> bool:
    """Whether all optimizers are torch's own, LBFGS excepted, which divides by differences."""
    kinds = [type(one) for one in updates.optimizers] if isinstance(updates, TorchUpdates) else []
    return all(kind.__module__.startswith("torch.optim.") and kind is not LBFGS for kind in kinds)


def _moments(updates: object) -> Iterator[tuple[str, Tensor, Tensor]]:
    if not isinstance(updates, TorchUpdates):
        return
    for optimizer in updates.optimizers:
        for parameter, state in optimizer.state.items():
            for name, value in state.items():
                if isinstance(value, Tensor) and value.is_floating_point() and value.numel():
                    yield str(name), parameter, value
                elif isinstance(value, list | tuple):  # LBFGS keeps lists of directions
                    yield from ((str(name), parameter, one) for one in value if isinstance(one, Tensor))


def _norms(tensors: list[Tensor]) -> list[float]:
    """The 2-norm of each, one transfer from each device; where it overflows, every number has to be looked at.

    The largest absolute value would not overflow, and takes torch 30 times as long.
    """
    found = []
    for device in dict.fromkeys(tensor.device for tensor in tensors):
        here = [tensor for tensor in tensors if tensor.device == device]
        norms = torch._foreach_norm(here)  # pyright: ignore[reportPrivateImportUsage]
        found += torch.stack([norm.float() for norm in norms]).tolist()
    return found
