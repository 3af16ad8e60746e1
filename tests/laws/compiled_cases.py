"""What stands in the place of the compiler, and runs that are compared to rounding."""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

import truestep as ts
from laws.step_cases import close
from truestep.core.compiled import Compiled


def network() -> nn.Module:
    """Without a bias that the normalisation takes off again: AdamW would make steps of the rounding of its gradient."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 7, bias=False), nn.BatchNorm1d(7), nn.Tanh(), nn.Linear(7, 5)).double()


class Instead:
    """A build that has ended at once."""

    def __init__(self, plan: Any, aside: bool) -> None:
        pass

    def ended(self) -> bool:
        return True

    def library(self) -> str:
        return ""

    def stop(self) -> None:
        pass


def load(self: Compiled, path: str) -> None:
    """The program in the place of a kernel, which would read the memory as it lay when it was compiled."""

    def run(inputs: list[torch.Tensor]) -> None:
        likes = [replace(like, strict=True) for like in self._program.given]
        assert all(like.fits(tensor) for like, tensor in zip(likes, inputs, strict=False))
        self.plainly(inputs)

    self._run = run


def near(a: Any, b: Any, rtol: float = 1e-11) -> bool:
    return len(a) == len(b) and all(close(x, y, rtol) for x, y in zip(a, b, strict=True))


def same_figures(a: ts.Run, b: ts.Run, rtol: float = 1e-11) -> bool:
    """Every figure of every record but the time that it took."""
    pairs = [
        (one[name], other[name])
        for one, other in zip(a.history, b.history, strict=True)
        for name in one
        if name != "seconds"
    ]
    return all(close(x, y, rtol) for x, y in pairs) and a.steps == b.steps and a.notes == b.notes
