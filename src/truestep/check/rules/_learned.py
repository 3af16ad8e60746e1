"""Whether a model learned anything of its inputs: its loss on rows that are new to it, against that of no inputs."""

from __future__ import annotations

from statistics import median

import torch
from torch import Tensor

from truestep.check.events import Forward, Op

FEW, BELOW = 3, 0.8
"""Losses on new rows at least, and how far below chance they are where something was learned."""


def learned(losses: list[tuple[Op, Forward, Tensor]]) -> bool:
    """Whether the loss on rows that the model had not met before came to lie below what the labels alone allow.

    Each loss stands with the call that it judges and its labels, (N, 1). Rows that come again may be known by heart.
    """
    met, costs, labels = set[int](), list[float](), list[Tensor]()
    for op, call, wanted in losses:
        rows = set(call.inputs[0].rows)
        worth = op.out[0].values if op.out and op.words.get("reduction", "mean") == "mean" else None
        if rows and worth is not None and 2 * len(rows & met) < len(rows):
            costs.append(worth.mean)
        met |= rows
        labels.append(wanted)
    chance = _chance(losses[0][0].name, torch.cat(labels).double()) if len(costs) >= FEW else 0.0
    return median(costs[-(len(costs) // FEW) :]) < BELOW * chance if costs else False


def _chance(name: str, labels: Tensor) -> float:
    """The least loss without a look at the inputs; 0 where nobody knows."""
    if name in ("cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"):
        shares = torch.unique(labels, return_counts=True)[1] / len(labels)
        return -float((shares * shares.log()).sum())
    if name == "mse_loss":
        return float(labels.var(correction=0))
    return float((labels - labels.median()).abs().mean()) if name == "l1_loss" else 0.0
