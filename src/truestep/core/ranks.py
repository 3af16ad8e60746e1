"""Totals, counts and gradients summed over the processes of one run, so that ranks may hold unequal shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch import distributed as dist


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes that take one step together: `size` of them, this one being number `rank`."""

    size: int = 1
    rank: int = 0

    def add(self, values: Sequence[float | Tensor], device: torch.device) -> list[float | Tensor]:
        """The sums over all ranks of plain numbers and 0-dim tensors, as they are when there is one rank."""
        if self.size == 1 or not values:
            return list(values)
        single = torch.float32 if device.type == "mps" else torch.float64
        row = torch.stack([torch.as_tensor(value, dtype=single, device=device).detach() for value in values])
        dist.all_reduce(row)
        return list(row.unbind())

    def add_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Sum `.grad` over all ranks, in place.

        A parameter that no rank has a gradient for keeps None, so that decay and momentum leave it alone as they would
        in one process; one bit a parameter travels along to know.
        """
        if self.size == 1:
            return
        for dtype in dict.fromkeys(p.dtype for p in parameters):
            group = [p for p in parameters if p.dtype == dtype]
            held = [torch.zeros_like(p) if p.grad is None else _dense(p.grad) for p in group]
            bits = group[0].new_tensor([p.grad is not None for p in group])
            flat = torch.cat([*(g.reshape(-1) for g in held), bits])
            dist.all_reduce(flat)
            parts = flat.split([*(p.numel() for p in group), len(group)])
            for parameter, part, bit in zip(group, parts, parts[-1].tolist(), strict=False):
                parameter.grad = part.view_as(parameter) if bit else None

    def share(self, samples: int) -> slice:
        """The samples of a whole batch that belong to this rank: contiguous, none twice, none lost."""
        edges = [samples * number // self.size for number in (self.rank, self.rank + 1)]
        return slice(*edges)


ALONE = Ranks()
DISTRIBUTED = dist.is_available()


def agree(tensors: Sequence[Tensor]) -> None:
    """Give every rank the values of rank 0."""
    for tensor in tensors:
        dist.broadcast(tensor.detach(), 0)


def current() -> Ranks:
    """The ranks of the initialised process group, or this process alone."""
    if DISTRIBUTED and dist.is_initialized():
        return Ranks(dist.get_world_size(), dist.get_rank())
    return ALONE


def _dense(gradient: Tensor) -> Tensor:
    return gradient.to_dense() if gradient.is_sparse else gradient
