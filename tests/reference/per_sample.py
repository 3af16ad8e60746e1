"""What each sample adds to a loss and the norm of its gradient: one forward and one backward pass for every sample.

Independent of truestep: the obvious loop, in float64, over batches of one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def one(tree: Any, index: int) -> Any:
    """The batch that holds this sample alone."""
    if isinstance(tree, dict):
        return {name: one(value, index) for name, value in tree.items()}
    if isinstance(tree, tuple):
        return tuple(one(value, index) for value in tree)
    return tree[index : index + 1]


def records(
    model: Callable[[Any], Any],
    contribution: Callable[[Any, Any], Tensor],
    inputs: Any,
    targets: Any,
    parameters: Sequence[Tensor],
    samples: int,
) -> tuple[list[float], list[list[Tensor]], list[float]]:
    """(values, gradients, norms) by sample; `contribution(output, target)` is what a batch of one adds to the loss."""
    values, gradients, norms = [], [], []
    for index in range(samples):
        value = contribution(model(one(inputs, index)), one(targets, index))
        found = [torch.zeros_like(parameter) for parameter in parameters]
        if value.requires_grad:
            reached = torch.autograd.grad(value, parameters, allow_unused=True)
            found = [zero if g is None else g for zero, g in zip(found, reached, strict=True)]
        values.append(float(value.detach()))
        gradients.append(found)
        norms.append(sum(float(g.double().square().sum()) for g in found) ** 0.5)
    return values, gradients, norms
