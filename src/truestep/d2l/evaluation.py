"""How good a network is: figures over all batches, after which it is in the mode that it had."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

import truestep as ts
from truestep.d2l.reading import Reading

Net = Any
"""A module, or any function `net(X)`."""


def accuracy(y_hat: Tensor, y: Tensor) -> float:
    """How many predictions are right: `y_hat` holds scores (N, classes), or the labels themselves."""
    return float(hits(y_hat, y).sum())


def hits(y_hat: Tensor, y: Tensor) -> Tensor:
    """1 for each label that is predicted right, else 0, in float64; raises `ShapeError` where the two do not match."""
    shapes = f"{tuple(y_hat.shape)} and labels of shape {tuple(y.shape)}"
    if y_hat.dim() > 1 and y_hat.shape[1] > 1:
        y = y.argmax(1) if y.shape == y_hat.shape else y
        y_hat = y_hat.argmax(1)
    if y_hat.numel() != y.numel():
        raise ts.ShapeError(f"accuracy got predictions of shape {shapes}: give (N, classes) or (N), and labels (N).")
    return (y_hat.reshape(y.shape).type(y.dtype) == y).double()


def evaluate_accuracy(net: Net, data_iter: Iterable[Any]) -> float:
    """The share of right predictions over all batches `(X, y)`, in evaluation mode; raises `DataError` without any."""
    return ts.evaluate(net, _loader(data_iter), hits).loss


def evaluate_accuracy_gpu(net: Net, data_iter: Iterable[Any], device: Any = None) -> float:
    """The same where `net` lives on a graphics card: batches are moved to `device`, by default that of the network."""
    if device is None and isinstance(net, nn.Module):
        device = next((parameter.device for parameter in net.parameters()), None)
    return evaluate_accuracy(net, Moved(data_iter, device))


def evaluate_loss(net: Net, data_iter: Iterable[Any], loss: Any) -> float:
    """The loss over all batches `(X, y)`, in evaluation mode: the mean over its elements, whatever its reduction.

    Targets take the shape of the outputs where they have as many elements.
    """
    reading = Reading(loss)

    def figure(out: Tensor, y: Tensor) -> ts.Loss:
        reading(out, y.reshape(out.shape) if y.numel() == out.numel() else y)
        return reading.figure

    return ts.evaluate(net, _loader(data_iter), figure).loss


class Moved(IterableDataset):
    """The batches `(X, y)` of any iterable, on a device; None leaves them where they are."""

    def __init__(self, data_iter: Iterable[Any], device: Any = None) -> None:
        self._data, self._device = data_iter, device

    def __iter__(self) -> Iterator[Any]:
        for batch in self._data:
            if not isinstance(batch, tuple | list) or len(batch) != 2:
                what = f"{len(batch)} things" if isinstance(batch, tuple | list) else type(batch).__name__
                raise ts.DataError(f"a batch must be (X, y), and the data gave {what}.")
            X, y = (torch.as_tensor(part) for part in batch)
            yield (X, y) if self._device is None else (X.to(self._device), y.to(self._device))


def _loader(data_iter: Iterable[Any]) -> DataLoader:
    return data_iter if isinstance(data_iter, DataLoader) else DataLoader(_iterable(data_iter), batch_size=None)


def _iterable(data_iter: Iterable[Any]) -> Moved:
    return data_iter if isinstance(data_iter, Moved) else Moved(data_iter)
