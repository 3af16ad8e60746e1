"""Arrays of numpy as tensors, without a copy where torch can share their memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from truestep.core.errors import DataError


def as_tensor(leaf: Any) -> Tensor:
    """A tensor as it is, or an array as it lies in memory."""
    if isinstance(leaf, Tensor):
        return leaf
    if isinstance(leaf, np.ndarray):
        return _from_array(leaf)
    raise DataError(f"data in memory must be tensors or arrays, and not {type(leaf).__name__}.")


def _from_array(array: np.ndarray) -> Tensor:
    """The array as it lies in memory; a copy where torch cannot share it: read-only, or running backwards."""
    shared = array.flags.writeable and all(stride >= 0 for stride in array.strides)
    try:
        return torch.from_numpy(array if shared else array.copy())
    except (TypeError, ValueError) as error:
        raise DataError(f"an array of {array.dtype} cannot be trained on: {str(error).splitlines()[0]}") from error
