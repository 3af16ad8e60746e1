"""Lesson 24: the bias says where the data are, and decay pulls it towards zero."""

from __future__ import annotations

import torch
from torch import nn

import truestep as ts
from truestep.lessons.lesson import Measured

STRENGTHS, MEAN = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0), 100.0


def measure() -> Measured:
    """Fit y = 2 x1 - 3.4 x2 + 100 with decay on everything and on the weights alone."""
    found = {kind: [fit(strength, kind) for strength in STRENGTHS] for kind in ("all", "weights")}
    for strength, (bias, _, _) in zip(STRENGTHS, found["all"], strict=True):
        assert abs(bias / (MEAN / (1 + strength / 2)) - 1) < 0.02, "the bias shrinks by 1 / (1 + s / 2)"
    for bias, _, _ in found["weights"]:
        assert abs(bias - MEAN) < 0.5, "left alone, it stays where the data are"
    assert found["all"][-1][2] > 100 * found["weights"][-1][2]
    groups = ts.decay_groups(nn.Sequential(nn.Linear(2, 4), nn.LayerNorm(4), nn.Linear(4, 1)), 0.1)
    sizes = [sum(p.numel() for p in group["params"]) for group in groups]
    assert sizes == [12, 13], "two matrices decay; biases and normalisation do not"

    rows = [
        (strength, everything[0], everything[2], alone[0], alone[2])
        for strength, everything, alone in zip(STRENGTHS, found["all"], found["weights"], strict=True)
    ]
    names = {"all": "everything decays", "weights": "the bias is left alone"}
    panels = [
        ts.plot.Panel(
            "weight_decay",
            label,
            [ts.plot.Curve(names[kind], STRENGTHS, [row[place] for row in found[kind]]) for kind in names],
            log=log,
        )
        for place, label, log in ((0, "bias that is found (true: 100)", ""), (2, "mean squared error", "y"))
    ]
    numbers = {"bias": found["all"][-2][0], "error": found["all"][-2][2], "alone": found["weights"][-2][2]}
    return Measured(numbers | {"s": STRENGTHS[-2], "sizes": sizes}, rows, panels)


def fit(strength: float, kind: str) -> tuple[float, float, float]:
    """Bias, norm of the weights, and error after full-batch descent to the end."""
    x, y = ts.data.linear(200, [2.0, -3.4], MEAN, dtype=torch.float64)
    net = nn.Linear(2, 1).double()
    if kind == "all":
        optimizer = torch.optim.SGD(net.parameters(), lr=0.2, weight_decay=strength)
    else:
        decayed = {"params": [net.weight], "weight_decay": strength}
        optimizer = torch.optim.SGD([decayed, {"params": [net.bias]}], lr=0.2)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x), y).backward()
        optimizer.step()
    return net.bias.item(), net.weight.norm().item(), nn.functional.mse_loss(net(x), y).item()
