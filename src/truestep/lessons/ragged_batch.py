"""Lesson 13: the loss of an epoch is a sum over a number of samples, not a mean of batch means."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.lessons.lesson import Measured

FULL, BATCH, DRAWS = 100, 20, 200
LASTS = (1, 2, 3, 5, 8, 10, 15, 20)


def measure() -> Measured:
    """Sum up one epoch of a fixed model in both ways, for many orders and sizes of the last batch."""
    net = nn.Linear(2, 1).double()
    wrong, right = {}, {}
    for last in LASTS:
        x, y = ts.data.linear(FULL + last, [2.0, -3.4], 4.2, dtype=torch.float64)
        with torch.no_grad():
            losses = ((net(x) - y) ** 2).flatten()
        draws = [epoch(losses[torch.randperm(len(losses))]) for _ in range(DRAWS)]
        whole = losses.mean().item()
        wrong[last] = torch.tensor([abs(means / whole - 1) for means, _ in draws])
        right[last] = max(abs(exact / whole - 1) for _, exact in draws)
    assert max(right.values()) < 1e-14, "float(l) * len(y), divided once by the samples, is exact in any order"
    assert wrong[20].max() < 1e-14, "a mean of batch means is exact only where all batches are full"
    middle = {last: float(errors.mean()) for last, errors in wrong.items()}
    assert middle[1] > 0.05
    assert middle[1] > middle[5] > middle[15], "the shorter the last batch, the more its samples weigh"

    rows = [(last, BATCH / last, middle[last], float(wrong[last].max()), right[last]) for last in LASTS]
    curves = [
        ts.plot.Curve("mean of batch means, mean error", LASTS, [100 * middle[last] for last in LASTS]),
        ts.plot.Curve("largest error", LASTS, [100 * float(wrong[last].max()) for last in LASTS]),
        ts.plot.Curve("sum over samples", LASTS, [100 * right[last] for last in LASTS]),
    ]
    panel = ts.plot.Panel("samples in the last batch (the others have 20)", "error of the epoch's loss (%)", curves)
    numbers = {"mean": middle[1], "most": float(wrong[1].max()), "right": max(right.values()), "n": FULL + 1}
    return Measured(numbers, rows, [panel], ("", ".4g", ".2%", ".2%", ".0e"))


def epoch(losses: Tensor) -> tuple[float, float]:
    """The loss of an epoch as a mean of batch means, and as a sum over the number of samples."""
    means, summed, samples = [], 0.0, 0
    for batch in losses.split(BATCH):
        value = batch.mean()  # what a loss of torch returns
        means.append(float(value))
        summed += float(value) * len(batch)
        samples += len(batch)
    return sum(means) / len(means), summed / samples
