"""Mixed precision: autocast around the model alone, and the scaling that float16 gradients need."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from truestep.core.errors import ConfigError

NAMES = {
    "bfloat16": torch.bfloat16,
    "bf16": torch.bfloat16,
    torch.bfloat16: torch.bfloat16,
    "float16": torch.float16,
    "fp16": torch.float16,
    torch.float16: torch.float16,
}


class Precision:
    """The forward pass in `amp` (None, "bfloat16" or "float16"); losses, totals and weights stay in full precision.

    float16 gradients underflow below 6e-8, so their loss is scaled up before the backward pass and the gradients down
    after it (`torch.amp.GradScaler`); a scale that was too large skips the step and is halved.
    """

    def __init__(self, amp: Any, device: torch.device) -> None:
        if amp is not None and not (isinstance(amp, str | torch.dtype) and amp in NAMES):
            raise ConfigError(f"amp knows 'bfloat16', 'float16' and None, and {amp!r} is none of them.")
        self.dtype = None if amp is None else NAMES[amp]
        self.device = device
        self.scaler: torch.amp.GradScaler | None = None
        if self.dtype is torch.float16:
            self.scaler = torch.amp.GradScaler(device.type)

    def autocast(self) -> AbstractContextManager[Any]:
        """The context of the forward pass."""
        return nullcontext() if self.dtype is None else torch.autocast(self.device.type, self.dtype)

    def scale(self, seed: Tensor) -> Tensor:
        """A seed of the backward pass, scaled up for float16."""
        return seed if self.scaler is None else self.scaler.scale(seed)

    def unscale(self, parameters: Sequence[Tensor]) -> None:
        """Bring the gradients back to their own scale, once a step.

        The scale of the next step is then halved where they overflowed, and doubled after 2,000 steps without that.
        """
        if self.scaler is None:
            return
        reached = [parameter for parameter in parameters if parameter.grad is not None]
        if not reached:
            return
        # The scaler works through an optimizer; this one only holds the parameters and never steps.
        self.scaler.unscale_(torch.optim.SGD(reached, lr=0.0))
        self.scaler.update()
