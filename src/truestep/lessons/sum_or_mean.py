"""Lesson 8: the gradient of a sum is that of the mean, times the number of samples."""

from __future__ import annotations

import torch
from torch import nn

import truestep as ts
from truestep.lessons.lesson import Measured

BATCH, LR, EPOCHS = 64, 0.5, 8


def measure() -> Measured:
    """Train one network on real digits three times: mean, sum with lr / n, sum with the same lr."""
    mean, scaled, unscaled = (Trained(*how) for how in (("mean", LR), ("sum", LR / BATCH), ("sum", LR)))
    assert abs(scaled.norm / mean.norm - BATCH) < 1e-3, "the first gradients differ by the number of samples"
    assert torch.equal(mean.weights, scaled.weights), "64 is a power of two, so not even rounding differs"
    odd, odd_sum = Trained("mean", LR, 60), Trained("sum", LR / 60, 60)
    rounding = float((odd.weights - odd_sum.weights).abs().max() / odd.weights.abs().max())
    assert 0 < rounding < 1e-3, "60 is not, so they differ by rounding and by nothing else"
    assert mean.accuracy[-1] > 0.85
    assert max(unscaled.accuracy) < 0.15, "the unscaled sum learns nothing: one in ten is guessing"

    named = {"l.mean()": mean, f"l.sum(), lr / {BATCH}": scaled, "l.sum(), same lr": unscaled}
    rows = [(name, run.lr, run.norm, run.loss, run.accuracy[-1]) for name, run in named.items()]
    epochs = list(range(1, EPOCHS + 1))
    curves = [ts.plot.Curve(name, epochs, run.accuracy) for name, run in named.items()]
    panel = ts.plot.Panel("epoch", "test accuracy (fraction correct)", curves, level={"guessing": 0.1})
    numbers = {"mean": mean, "scaled": scaled, "unscaled": unscaled, "n": BATCH, "rounding": rounding}
    return Measured(numbers, rows, [panel])


class Trained:
    """64 - 64 - 10 units on batches of equal size, always from the same start."""

    def __init__(self, reduction: str, lr: float, batch: int = BATCH) -> None:
        self.lr, self.norm, self.accuracy = lr, 0.0, list[float]()
        (images, labels), test = ts.data.digits(8)
        used = len(images) // batch * batch
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        optimizer = torch.optim.SGD(net.parameters(), lr)
        for _ in range(EPOCHS):
            for x, y in zip(images[:used].split(batch), labels[:used].split(batch), strict=True):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(net(x), y, reduction="none")
                (loss.sum() if reduction == "sum" else loss.mean()).backward()
                self.norm = self.norm or gradient_norm(net)
                optimizer.step()
            seen = ts.evaluate(net, test, nn.CrossEntropyLoss(), ts.metrics.accuracy)
            self.accuracy.append(seen.metrics["accuracy"])
        self.loss = ts.evaluate(net, (images[:used], labels[:used]), nn.CrossEntropyLoss()).loss
        self.weights = torch.cat([p.detach().flatten() for p in net.parameters()])


def gradient_norm(net: nn.Module) -> float:
    """The 2-norm of all gradients."""
    return float(nn.utils.get_total_norm([p.grad for p in net.parameters() if p.grad is not None]))
