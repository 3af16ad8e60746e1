"""Lesson 2: backward adds to the gradient that is there, so it must be cleared, or divided."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.lessons.lesson import Measured

STEPS, LR = 60, 0.01
X, TARGET = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.5, 2.5, 3.5])


def measure() -> Measured:
    """Take the same steps with and without clearing, and one step in four parts."""
    cleared, summed = descend(clear=True), descend(clear=False)
    first, second = cleared[0][:2]
    assert summed[0][0] == first, "the first step has nothing to add to"
    assert abs(summed[0][1] - (first + second)) < 1e-5, "the second update uses the sum of both gradients"
    assert cleared[1][-1] < 0.4
    assert max(summed[1][-20:]) > 10 * cleared[1][-1], "without clearing, old gradients keep driving the weights"
    whole, added, divided = accumulated()
    assert abs(added / whole - 4) < 1e-9, "four parts that are not divided are four times the step"
    assert abs(divided / whole - 1) < 1e-9

    rows = [
        ("step 1, cleared or not", first, summed[0][0]),
        ("step 2: with clearing, without", second, summed[0][1]),
        (f"loss after {STEPS} steps: with clearing, without", cleared[1][-1], summed[1][-1]),
        ("one batch in 4 parts, not divided: wanted, found", whole, added),
        ("one batch in 4 parts, each divided by 4: wanted, found", whole, divided),
    ]
    steps = list(range(STEPS + 1))
    curves = [
        ts.plot.Curve("cleared before each step", steps, cleared[1]),
        ts.plot.Curve("never cleared", steps, summed[1]),
    ]
    numbers = {"first": first, "second": second, "both": summed[0][1], "clean": cleared[1][-1]}
    numbers |= {"worst": max(summed[1][-20:]), "ratio": added / whole, "steps": STEPS}
    return Measured(numbers, rows, [ts.plot.Panel("step", "mean squared error", curves, log="y")], ".4f")


def descend(clear: bool) -> tuple[list[float], list[float]]:
    """The gradient that each step uses for w, and the loss before each step and at the end."""
    w, b = torch.tensor(-0.2505, requires_grad=True), torch.tensor(0.9166, requires_grad=True)
    optimizer = torch.optim.SGD([w, b], LR)
    used, losses = [], []
    for _ in range(STEPS):
        if clear:
            optimizer.zero_grad()
        loss = nn.functional.mse_loss(w * X + b, TARGET)
        loss.backward()
        used.append(gradient(w))
        losses.append(loss.item())
        optimizer.step()
    return used, [*losses, nn.functional.mse_loss(w * X + b, TARGET).item()]


def accumulated() -> tuple[float, float, float]:
    """The gradient of w on 8 samples: in one pass; in 4 passes added up; the same with each loss divided by 4."""
    x = torch.linspace(-1, 2, 8, dtype=torch.float64)
    found = []
    for parts, divisor in ((1, 1), (4, 1), (4, 4)):
        w = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
        for part in x.split(8 // parts):
            (nn.functional.mse_loss(w * part, 3 * part + 1) / divisor).backward()
        found.append(gradient(w))
    return found[0], found[1], found[2]


def gradient(w: Tensor) -> float:
    """What is in `w.grad` now."""
    assert w.grad is not None
    return w.grad.item()
