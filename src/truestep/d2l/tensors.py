"""The book's names for what torch does to tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

nn_Module = nn.Module
float32, int32, int64 = torch.float32, torch.int32, torch.int64

ones, ones_like, zeros, zeros_like = torch.ones, torch.ones_like, torch.zeros, torch.zeros_like
tensor, arange, linspace, eye = torch.tensor, torch.arange, torch.linspace, torch.eye
normal, rand, randn = torch.normal, torch.rand, torch.randn
sin, sinh, cos, cosh, tanh, sigmoid = torch.sin, torch.sinh, torch.cos, torch.cosh, torch.tanh, torch.sigmoid
exp, log, abs = torch.exp, torch.log, torch.abs
matmul, batch_matmul, concat, stack = torch.matmul, torch.bmm, torch.cat, torch.stack


def meshgrid(*tensors: Tensor, indexing: str = "ij") -> tuple[Tensor, ...]:
    """`torch.meshgrid`, with rows first unless `indexing` is "xy"."""
    return torch.meshgrid(*tensors, indexing=indexing)


def numpy(x: Tensor, *args: Any, **kwargs: Any) -> np.ndarray:
    """The numbers of `x` as an array, whatever its device and whether or not it requires a gradient."""
    return x.detach().cpu().numpy(*args, **kwargs)


def size(x: Tensor) -> int:
    """How many elements `x` has."""
    return x.numel()


def reshape(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`x.reshape(...)`."""
    return x.reshape(*args, **kwargs)


def to(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`x.to(...)`."""
    return x.to(*args, **kwargs)


def astype(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`x.type(...)`."""
    return x.type(*args, **kwargs)


def reduce_sum(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`x.sum(...)`."""
    return x.sum(*args, **kwargs)


def reduce_mean(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`x.mean(...)`."""
    return x.mean(*args, **kwargs)


def argmax(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`x.argmax(...)`."""
    return x.argmax(*args, **kwargs)


def transpose(x: Tensor) -> Tensor:
    """The matrix `x` with rows and columns exchanged."""
    return x.t()


def expand_dims(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`x.unsqueeze(...)`."""
    return x.unsqueeze(*args, **kwargs)


def swapaxes(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`x.swapaxes(...)`."""
    return x.swapaxes(*args, **kwargs)


def repeat(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`x.repeat(...)`."""
    return x.repeat(*args, **kwargs)
