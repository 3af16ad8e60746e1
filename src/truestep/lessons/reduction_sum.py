"""Lesson 11: with reduction="sum" the learning rate is divided, and the printed loss is N times larger."""

from __future__ import annotations

import torch
from torch import nn

import truestep as ts
from truestep.lessons.lesson import Measured

EPOCHS, BATCH, LR = 2, 20, 0.06
SIZES = (1000, 10_000)


def measure() -> Measured:
    """Train on 1,000 and on 10,000 samples by mean and by sum, and print the loss on all of them."""
    found = {(n, kind): train(n, kind) for n in SIZES for kind in ("mean", "sum")}
    rows, curves, apart = [], [], 0.0
    for n in SIZES:
        mean, total = found[n, "mean"], found[n, "sum"]
        apart = max(apart, *(abs(a - b) for a, b in zip(mean[1], total[1], strict=True)))
        ratio = total[0][-1] / mean[0][-1]
        assert apart < 1e-12, "lr / batch_size gives the same weights"
        assert abs(ratio / n - 1) < 1e-9, "what is printed is N times as large"
        rows += [(f"mean, lr {LR}", n, mean[0][-1], "-"), (f"sum, lr {LR} / {BATCH}", n, total[0][-1], f"{ratio:,.0f}")]
    for n in SIZES:
        for kind in ("mean", "sum"):
            curves.append(ts.plot.Curve(f"{kind}, {n:,} samples", list(range(EPOCHS + 1)), found[n, kind][0]))
    numbers = {kind: [found[n, kind][0][-1] for n in SIZES] for kind in ("mean", "sum")}
    panel = ts.plot.Panel("epoch", "loss as it is printed", curves, log="y")
    return Measured({"apart": apart, **numbers}, rows, [panel])


def train(n: int, kind: str) -> tuple[list[float], list[float]]:
    """The loss on all n samples as this reduction says it, after each epoch, and a weight after each step."""
    x, y = ts.data.linear(n, [2.0, -3.4], 4.2, dtype=torch.float64)
    torch.manual_seed(0)
    net = nn.Linear(2, 1).double()
    loss = nn.MSELoss(reduction=kind)
    optimizer = torch.optim.SGD(net.parameters(), LR if kind == "mean" else LR / BATCH)
    printed, weights = [loss(net(x), y).item()], list[float]()
    for _ in range(EPOCHS):
        for features, labels in zip(x.split(BATCH), y.split(BATCH), strict=True):
            optimizer.zero_grad()
            loss(net(features), labels).backward()
            optimizer.step()
            weights.append(net.weight[0, 0].item())
        printed.append(loss(net(x), y).item())
    return printed, weights
