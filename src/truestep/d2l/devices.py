"""Where tensors live: the processor, or a graphics card where there is one."""

from __future__ import annotations

import torch


def cpu() -> torch.device:
    """The processor."""
    return torch.device("cpu")


def gpu(i: int = 0) -> torch.device:
    """The graphics card number `i`, whether or not it is there."""
    return torch.device(f"cuda:{i}")


def num_gpus() -> int:
    """How many graphics cards there are."""
    return torch.cuda.device_count()


def try_gpu(i: int = 0) -> torch.device:
    """The graphics card number `i` where it is there, else the processor."""
    return gpu(i) if num_gpus() > i else cpu()


def try_all_gpus() -> list[torch.device]:
    """All graphics cards, or the processor where there are none."""
    return [gpu(i) for i in range(num_gpus())] or [cpu()]
