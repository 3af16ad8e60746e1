"""Metrics as a total over a count, so that no figure depends on how the data were batched.

A metric is any callable `(output, target)` that returns a `Loss` (total and count), a pair `(total, count)`, or a
tensor with one element for each thing counted, whose mean is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from truestep.core.errors import ConfigError, ShapeError
from truestep.core.gradients import Metric
from truestep.core.kinds import broadcast_sentence
from truestep.core.loss import Loss


def accuracy(output: Tensor, target: Tensor, ignore_index: int = -100) -> Loss:
    """The share of labels that the largest score names: `total` right ones of `count` labels that are not ignored.

    Args:
        output: scores of shape (N, C) or (N, C, ...).
        target: labels of shape (N) or (N, ...), or probabilities of the shape of the scores.
        ignore_index: the label that is not counted.

    Raises:
        ShapeError: where scores and labels do not belong together, or there is only one class to choose from.

    >>> float(accuracy(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1])))
    0.5
    """
    return top_k(output, target, 1, ignore_index)


def top_k(output: Tensor, target: Tensor, k: int = 5, ignore_index: int = -100) -> Loss:
    """The share of labels among the `k` largest scores; shapes as for `accuracy`, and `k` is at least 1."""
    _tensors("accuracy", output, target)
    if k < 1:
        raise ConfigError(f"top_k looks at the k largest scores, k at least 1 and not {k}.")
    shape = tuple(target.shape)
    if target.is_floating_point() and target.shape == output.shape and target.dim() > 1:
        target = target.argmax(1)
    elif not target.is_floating_point():
        target = target.long()  # bytes would wrap an ignored -100 to 156
    # One score a sample would be right whatever it is: the largest of one is the first.
    if output.dim() < 2 or output.shape[1] == 1 or (output.shape[0], *output.shape[2:]) != tuple(target.shape):
        raise ShapeError(
            f"accuracy got scores of shape {tuple(output.shape)} and labels of shape {shape}: scores "
            "must be (N, classes) and labels (N); for one score a sample use ts.metrics.binary_accuracy."
        )
    counted = target != ignore_index
    if k == 1:
        right = output.argmax(1) == target
    else:
        right = (output.topk(min(k, output.shape[1]), 1).indices == target.unsqueeze(1)).any(1)
    return Loss((right & counted).sum(), counted.sum(), samples=len(target))


def binary_accuracy(output: Tensor, target: Tensor, threshold: float = 0.0) -> Loss:
    """The share of targets (0 or 1) that `output > threshold` names; the default threshold is that of logits."""
    _same_shape("binary_accuracy", output, target)
    right = (output > threshold) == (target > 0.5)
    return Loss(right.sum(), right.numel(), samples=len(target))


def mean_squared_error(output: Tensor, target: Tensor) -> Loss:
    """`sum (output - target)^2 / elements`."""
    _same_shape("mean_squared_error", output, target)
    return Loss((output - target).square().sum(), target.numel(), samples=len(target))


def mean_absolute_error(output: Tensor, target: Tensor) -> Loss:
    """`sum |output - target| / elements`."""
    _same_shape("mean_absolute_error", output, target)
    return Loss((output - target).abs().sum(), target.numel(), samples=len(target))


def as_metrics(given: Any) -> dict[str, Metric]:
    """Name -> metric that returns a `Loss`, from a mapping, one function or several.

    Raises:
        ConfigError: for a metric that cannot be called.
    """
    if not given:
        return {}
    if not isinstance(given, Mapping):
        several = given if isinstance(given, list | tuple) else [given]
        given = {getattr(one, "__name__", type(one).__name__): one for one in several}
        if len(given) < len(several):
            raise ConfigError(
                f"several metrics have one name ({', '.join(given)}): name them, metrics={{'top_5': ...}}."
            )
    for name, one in given.items():
        if not callable(one):
            raise ConfigError(f"the metric {name} must be callable as metric(output, target), and {one!r} is not.")
        if name == "loss":
            raise ConfigError("a metric cannot be called loss, which is the objective's own figure: give another name.")
    return {name: partial(_measure, name, one) for name, one in given.items()}


def _measure(name: str, metric: Callable[[Any, Any], Any], output: Any, target: Any) -> Loss:
    found = metric(output, target)
    if isinstance(found, Loss):
        return found
    if isinstance(found, tuple) and len(found) == 2:
        total = found[0] if isinstance(found[0], Tensor) else torch.tensor(found[0], dtype=torch.float64)
        if not total.dim():
            return Loss(total, found[1])
        raise ConfigError(f"the metric {name} returned a total of shape {tuple(total.shape)}: return one number.")
    if isinstance(found, Tensor) and found.dim():
        return Loss(found.sum(), found.numel())
    raise ConfigError(
        f"the metric {name} returned one number, which cannot be merged over batches: return (total, count), or a "
        "tensor with one element for each thing counted."
    )


def _tensors(name: str, output: Any, target: Any) -> None:
    if not (isinstance(output, Tensor) and isinstance(target, Tensor)):
        raise ShapeError(
            f"{name} takes a tensor of outputs and one of targets, and got ({type(output).__name__}, "
            f"{type(target).__name__}): choose them, lambda output, target: ts.metrics.{name}(output[0], target)."
        )


def _same_shape(name: str, output: Tensor, target: Tensor) -> None:
    _tensors(name, output, target)
    if output.shape != target.shape:
        raise ShapeError(broadcast_sentence(name, output, target))
