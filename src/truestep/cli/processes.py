"""The processes that torchrun starts: one group for as long as a command needs it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import distributed as dist

import truestep as ts

_R = TypeVar("_R")


@contextmanager
def together(device: torch.device) -> Iterator[int]:
    """The group of all processes, gloo between CPUs and nccl between GPUs, and this one's rank in it.

    A process that torchrun did not start, or that it started alone, is rank 0 of no group.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield 0
        return
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    except ValueError as error:
        raise ts.ConfigError(
            f"WORLD_SIZE is set, but no group can be joined ({error}): start it by torchrun."
        ) from None
    try:
        yield dist.get_rank()
    finally:
        dist.destroy_process_group()


def own(device: torch.device) -> torch.device:
    """The device of this process where each has one of its own: the GPU that has the number of its local rank."""
    if device.type != "cuda" or device.index is not None or "LOCAL_RANK" not in os.environ:
        return device
    mine = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(mine)
    return mine


def first_alone(work: Callable[[], _R], rank: int) -> _R:
    """`work()` in rank 0 and then in the others, which find what rank 0 has fetched."""
    found = work() if rank == 0 else None
    if dist.is_initialized():
        dist.barrier()
    return work() if found is None else found
