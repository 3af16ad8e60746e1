"""Lesson 7: the gradient comes from the graph of the loss and not from its value."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.lessons.lesson import Measured

STEPS, LR = 30, 0.1


def measure() -> Measured:
    """Add constants to the loss, compare gradients bit by bit, and with the closed form."""
    x, y = ts.data.linear(100, [2.0, -3.4], 4.2, dtype=torch.float64)
    w = torch.zeros(2, 1, dtype=torch.float64)
    shifts = (0.0, 100.0, -1e6)
    values, slopes = zip(*(value_and_slope(x, y, w, shift) for shift in shifts), strict=True)
    assert all(torch.equal(slope, slopes[0]) for slope in slopes), "the same gradient to the last bit"
    closed = 2 * x.T @ (x @ w - y) / len(x)
    error = float((slopes[0] - closed).norm() / closed.norm())
    assert error < 1e-15, "autograd finds what the formula says"
    try:
        nn.functional.mse_loss(x @ w, y).detach().requires_grad_(False).backward()
        refusal = ""
    except RuntimeError as error_:
        refusal = str(error_)
    assert "does not require grad" in refusal, "the right value without its graph carries no gradient"

    runs = {f"loss {shift:+g}" if shift else "loss": descend(x, y, shift) for shift in (0.0, 100.0)}
    plain, shifted = runs.values()
    assert torch.equal(plain[1], shifted[1]), "the weights of the two runs are the same"
    norms = [float(slope.norm()) for slope in slopes]
    rows = [(f"{shift:+g}", value, norm) for shift, value, norm in zip(shifts, values, norms, strict=True)]
    last = ("closed form, no loss at all", "-", float(closed.norm()))
    numbers = {"values": values, "norm": norms[0], "error": error, "refusal": refusal}
    steps = list(range(STEPS + 1))
    curves = [ts.plot.Curve(name, steps, losses) for name, (losses, _, _) in runs.items()]
    far = [ts.plot.Curve(name, steps, distances) for name, (_, _, distances) in runs.items()]
    panels = [
        ts.plot.Panel("step", "value that is differentiated", curves),
        ts.plot.Panel("step", "distance of w from the true weights", far),
    ]
    return Measured(numbers, [*rows, last], panels, ".6g")


def value_and_slope(x: Tensor, y: Tensor, w: Tensor, shift: float) -> tuple[float, Tensor]:
    """The mean squared error plus a constant, and its gradient."""
    w = w.clone().requires_grad_()
    loss = nn.functional.mse_loss(x @ w, y) + shift
    (slope,) = torch.autograd.grad(loss, w)
    return loss.item(), slope


def descend(x: Tensor, y: Tensor, shift: float) -> tuple[list[float], Tensor, list[float]]:
    """Loss by step, the weights at the end, and their distance from those that made the data."""
    w, losses, distances = torch.zeros(2, 1, dtype=torch.float64), [], []
    for _ in range(STEPS + 1):
        value, slope = value_and_slope(x, y - 4.2, w, shift)
        losses.append(value)
        distances.append(float((w - w.new_tensor([[2.0], [-3.4]])).norm()))
        w = w - LR * slope
    return losses, w, distances
