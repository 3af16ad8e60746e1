"""The first numbers of what a model is given in training, and of what its losses compare, for rules about sequences.

Whether targets are the inputs one step on cannot be told of digests: the two hold different rows.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from truestep.check.events import Op
from truestep.check.looks import plain

if TYPE_CHECKING:
    from truestep.check.recorder import Recorder

FIRST, MOST = 256, 100
"""Numbers of a tensor, and tensors of a run."""


class Leading:
    """Writes an `Op` "leading" for each of the first tensors: its number, version and shape, and its first numbers."""

    def __init__(self) -> None:
        self._left = MOST

    def take(self, recorder: Recorder, tensor: Tensor) -> None:
        """Take the first numbers of a tensor of sequences, or of the targets of one."""
        numbers = plain(tensor) and not tensor.is_complex() and not tensor.is_inference() and 0 < tensor.dim() < 4
        if not self._left or not recorder.close or not torch.is_grad_enabled() or not numbers:
            return
        self._left -= 1
        first = tensor.detach()[: FIRST // max(tensor[0].numel(), 1) + 1].reshape(-1)[:FIRST].double().cpu()
        told = recorder.numbers.of(tensor), tensor._version, tuple(tensor.shape)
        held = {"first": array("d", first.contiguous().numpy().tobytes())}
        recorder.emit(Op, name="leading", args=told, words=held, out=(), grad=True)


ATTENDING = {"softmax", "scaled_dot_product_attention", "multi_head_attention_forward", "conv1d"}
SHUT = -1e4
"""What is added to a score that is to count for nothing is below this."""


def ahead(name: str, args: tuple[Any, ...], words: dict[str, Any], out: Any) -> float:
    """How far a step reads the next one: of a softmax over square scores the mean weight that it gives to it; of
    attention in one call the share of steps that may; of a convolution the share of its weights behind the middle.
    """
    if name == "softmax":
        square = isinstance(out, Tensor) and out.dim() > 2 and out.shape[-1] == out.shape[-2] > 2 and plain(out)
        return float(out.detach().diagonal(1, -2, -1).mean().cpu()) if square else 0.0
    if name == "conv1d":
        sizes = args[1].detach().abs().sum((0, 1)) if isinstance(args[1], Tensor) and plain(args[1]) else torch.ones(1)
        return float((sizes[(len(sizes) + 1) // 2 :].sum() / sizes.sum()).cpu())
    fused = name == "scaled_dot_product_attention"
    mask = args[3] if fused and len(args) > 3 else words.get("attn_mask")
    if (args[5] if fused and len(args) > 5 else words.get("is_causal")) and (fused or mask is None):
        return 0.0
    if not isinstance(mask, Tensor) or not plain(mask) or mask.shape[-1] < 2:
        return float(mask is None)
    next_one = mask.detach().diagonal(1, -2, -1)
    opened = (next_one if fused else ~next_one) if mask.dtype == torch.bool else next_one > SHUT
    return float(opened.float().mean().cpu())
