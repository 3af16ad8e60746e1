"""Whether a batch of sequences was filled up to one length: told of what a model is given, on close looks.

Sequences of tokens or numbers (N, T), or of vectors (N, T, F), are padded when their rows end in runs of one and the
same value that differ in length, and that value stands nowhere else. For numbers and vectors it is zero throughout.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from truestep.check.looks import plain

LARGEST = 1 << 20
SHORTEST = 3


class Tail(NamedTuple):
    """`value` fills up `padded` of `places`; `ended`: the same token stands before it in every row that has it."""

    value: float
    padded: int
    places: int
    ended: bool


def tail(tensor: Tensor) -> Tail | None:
    """How a batch was filled up; None where it was not, or where that cannot be told."""
    tokens = tensor.dim() == 2 and tensor.dtype in (torch.int64, torch.int32)
    vectors = tensor.dim() in (2, 3) and tensor.is_floating_point()
    if not (tokens or vectors) or not plain(tensor) or not 0 < tensor.numel() <= LARGEST:
        return None
    held = tensor.detach() if tokens or tensor.dim() == 3 else tensor.detach()[..., None]
    if held.shape[0] < 2 or held.shape[1] < SHORTEST:
        return None
    value = held[held[:, -1] == held[:, -2]][:1, -1] if tokens else held.new_zeros(1)
    if not value.numel():
        return None
    filled = held == value if tokens else (held == 0).all(2)
    if tokens and bool(filled[:, 0].all()):  # the same token begins every row
        filled[:, 0] = False
    length = filled.shape[1] - filled.flip(1).long().cumprod(1).sum(1)  # of each row without its end
    runs = filled.shape[1] - length
    if int(filled.sum()) != int(runs.sum()) or int(runs.min()) == int(runs.max()) or int(length.min()) < 1:
        return None
    if tokens and int(runs.sum()) == int(runs.max()) == 2:  # one pair at the end of one row may be text
        return None
    before = held.gather(1, length[:, None] - 1)[runs > 0] if tokens else held[:0, 0]
    ended = tokens and bool((before == before[0]).all())
    return Tail(float(value), int(runs.sum()), filled.numel(), ended)
