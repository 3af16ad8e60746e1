"""Lesson 12: three spellings of one update, and the factor 2 between two squared losses."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.lessons.lesson import Measured

LR = 0.03


def measure() -> Measured:
    """Compare the update of each spelling with that of torch's mean on the same batch from the same weights."""
    x, y = ts.data.linear(10, [2.0, -3.4], 4.2, dtype=torch.float64)
    torch.manual_seed(0)
    reference = built_in(nn.MSELoss())
    spelled = {
        "MSELoss(), torch.optim.SGD": built_in(nn.MSELoss()),
        "MSELoss('none').mean(), torch.optim.SGD": built_in(lambda out, y: nn.MSELoss(reduction="none")(out, y).mean()),
        "sum of (out - y)², own SGD / n": by_hand(squared),
        "sum of (out - y)² / 2, own SGD / n": by_hand(halved),
    }
    found = {name: ts.compare(reference, step, x, y) for name, step in spelled.items()}
    ratios = {name: seen.ratio for name, seen in found.items()}
    assert all(abs(seen.cosine - 1) < 1e-12 for seen in found.values()), "all of them go the same way"
    *same, half = ratios.values()
    assert all(abs(ratio - 1) < 1e-12 for ratio in same)
    assert abs(half - 0.5) < 1e-12, "the factor 1/2 in the squared loss halves the gradient"
    rows = [(name, seen.cosine, seen.ratio) for name, seen in found.items()]
    bars = [ts.plot.Bars("update", ratios)]
    panel = ts.plot.Panel("length of the update / that of MSELoss()", "spelling", bars=bars)
    return Measured({"half": half, "cosine": min(seen.cosine for seen in found.values())}, rows, [panel], ".6f")


def squared(output: Tensor, y: Tensor) -> Tensor:
    """One element a sample, as torch has it."""
    return (output - y) ** 2


def halved(output: Tensor, y: Tensor) -> Tensor:
    """The same as many textbooks have it: its derivative is output - y, without a 2."""
    return (output - y) ** 2 / 2


def built_in(loss: Callable[[Tensor, Tensor], Tensor]) -> ts.TrainStep:
    """The mean of a loss and the optimizer of torch."""
    net = nn.Linear(2, 1).double()
    return ts.TrainStep(net, loss, torch.optim.SGD(net.parameters(), LR))


def by_hand(loss: Callable[[Tensor, Tensor], Tensor]) -> ts.TrainStep:
    """Summed gradients, divided by the updater."""
    net = nn.Linear(2, 1).double()

    def sgd(batch_size: int) -> None:
        for p in net.parameters():
            if p.grad is not None:
                p -= LR * p.grad / batch_size

    return ts.TrainStep(net, loss, sgd)
