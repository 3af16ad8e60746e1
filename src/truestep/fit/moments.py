"""The moments of optimizers, looked at before a step: the step itself looks at losses and gradients only."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from truestep.core.errors import NonFiniteError
from truestep.core.updates import TorchUpdates

if TYPE_CHECKING:
    from truestep.fit.loop import Loop
    from truestep.fit.writing import Writer


def refuse(loop: Loop, writer: Writer) -> None:
    """Raise where a moment is not finite, before it reaches the weights.

    Raises:
        NonFiniteError: naming the moment and its parameter.
    """
    held = [(name, parameter, moment) for name, parameter, moment in _moments(loop.step.updates)]
    if not held or all(math.isfinite(largest) for largest in _largest([moment for _, _, moment in held])):
        return
    for name, parameter, moment in held:
        if not torch.isfinite(moment).all():
            last = "" if writer.saved is None else f"; step {writer.saved} was saved last"
            raise NonFiniteError(
                f"step {loop.step.taken + 1}: {name} of {loop.step.names.get(id(parameter), 'a parameter')} in the "
                f"optimizer is not finite; the weights are as they were before this step{last}."
            )


def _moments(updates: object) -> Iterator[tuple[str, Tensor, Tensor]]:
    if not isinstance(updates, TorchUpdates):
        return
    for optimizer in updates.optimizers:
        for parameter, state in optimizer.state.items():
            for name, value in state.items():
                if isinstance(value, Tensor) and value.numel() and value.is_floating_point():
                    yield str(name), parameter, value
                elif isinstance(value, list | tuple):  # LBFGS keeps lists of directions
                    yield from ((str(name), parameter, one) for one in value if isinstance(one, Tensor))


def _largest(tensors: list[Tensor]) -> list[float]:
    """The largest absolute value of each, NaN where one is NaN; one transfer from each device."""
    found = []
    for device in dict.fromkeys(tensor.device for tensor in tensors):
        here = [tensor for tensor in tensors if tensor.device == device]
        norms = torch._foreach_norm(here, math.inf)  # pyright: ignore[reportPrivateImportUsage]
        found += torch.stack([norm.float() for norm in norms]).tolist()
    return found
