"""Lesson 9: the update of a sum grows with the batch, that of a mean does not."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.lessons.lesson import Measured

SIZES, DRAWS, LR = (1, 2, 5, 10, 20, 50, 100, 200, 500), 200, 0.01


def measure() -> Measured:
    """Draw batches of many sizes at one point and measure the length of the update by sum and by mean."""
    x, y = ts.data.linear(1000, [2.0, -3.4], 4.2, dtype=torch.float64)
    sizes = {n: [lengths(x, y, n) for _ in range(DRAWS)] for n in SIZES}
    found = {
        kind: {n: torch.tensor([draw[place] for draw in draws]) for n, draws in sizes.items()}
        for place, kind in enumerate(("sum", "mean"))
    }
    middle = {kind: [float(by[n].median()) for n in SIZES] for kind, by in found.items()}
    for n in SIZES:
        assert torch.allclose(found["sum"][n], n * found["mean"][n]), "the sum's update is n times the mean's"
    growth = {kind: values[-1] / values[3] for kind, values in middle.items()}  # from 10 to 500 samples
    assert 40 < growth["sum"] < 60, "fifty times the samples, about fifty times the update"
    assert 0.9 < growth["mean"] < 1.1

    rows = [(n, middle["mean"][i], middle["sum"][i]) for i, n in enumerate(SIZES)]
    curves = [ts.plot.Curve(kind, SIZES, middle[kind], band(by, 0.05), band(by, 0.95)) for kind, by in found.items()]
    panel = ts.plot.Panel("batch size (samples)", "length of one update", curves, log="xy")
    numbers = {"growth": growth, "mean": middle["mean"], "sum": middle["sum"]}
    spread = [float(by.std() / by.mean()) for by in (found["mean"][1], found["mean"][500])]
    assert spread[0] > 5 * spread[1]
    return Measured(numbers | {"spread": spread}, rows, [panel])


def lengths(x: Tensor, y: Tensor, n: int) -> tuple[float, float]:
    """The length of the update of w on a random batch: by sum, by mean."""
    chosen = torch.randperm(len(x))[:n]
    found = []
    for reduction in ("sum", "mean"):
        w = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
        loss = nn.functional.mse_loss(x[chosen] @ w, y[chosen], reduction=reduction)
        (slope,) = torch.autograd.grad(loss, w)
        found.append(float(LR * slope.norm()))
    return found[0], found[1]


def band(by_size: dict[int, Tensor], share: float) -> list[float]:
    """The quantile of the draws at each size."""
    return [float(draws.quantile(share)) for draws in by_size.values()]
