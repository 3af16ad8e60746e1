"""What is written beside the arguments of a call in training, and only their numbers tell."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from truestep.check.looks import plain

AHEAD = {"softmax", "scaled_dot_product_attention", "multi_head_attention_forward", "conv1d"}
ASIDES = {"ctc_loss", *AHEAD}
CTC = "log_probs", "targets", "input_lengths", "target_lengths", "blank"
SHUT = -1e4
"""What is added to a score that is to count for nothing is below this."""


def aside(name: str, args: tuple[Any, ...], words: dict[str, Any], out: Any) -> dict[str, Any]:
    """The words that are added to those of a call."""
    return {"ahead": _ahead(name, args, words, out)} if name in AHEAD else {"blanks": _blanks(args, words)}


def _ahead(name: str, args: tuple[Any, ...], words: dict[str, Any], out: Any) -> float:
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


def _blanks(args: tuple[Any, ...], words: dict[str, Any]) -> int:
    """How many labels of a CTC loss are the blank: of rows that were filled up, those within their lengths."""
    given = dict(zip(CTC, args, strict=False)) | words
    labels, lengths, blank = given.get("targets"), given.get("target_lengths"), given.get("blank", 0)
    if not isinstance(labels, Tensor) or not plain(labels) or labels.dim() > 2:
        return 0
    same = labels.detach().cpu() == blank
    if labels.dim() == 2:
        each = torch.as_tensor(lengths, device="cpu")[:, None]
        same = same & (torch.arange(labels.shape[1], device="cpu") < each)
    return int(same.sum())
