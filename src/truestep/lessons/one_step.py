"""Lesson 1: one step of gradient descent on a straight line, every number shown."""

from __future__ import annotations

import torch
from torch import nn

import truestep as ts
from truestep.lessons.lesson import Measured

W, B, LR = -0.2505, 0.9166, 0.01


def measure() -> Measured:
    """Take the step with torch, write the same step out by the chain rule, and compare."""
    w, b = torch.tensor(W, requires_grad=True), torch.tensor(B, requires_grad=True)
    x, target = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.5, 2.5, 3.5])
    chain = ts.write_out(lambda x: w * x + b, nn.MSELoss(), x, target, {"w": w, "b": b}, LR)
    optimizer = torch.optim.SGD([w, b], LR)
    output = w * x + b
    loss = nn.MSELoss()(output, target)
    assert w.grad is None, "nothing has a gradient before backward"
    loss.backward()
    assert w.grad is not None
    assert b.grad is not None
    dw, db = w.grad.item(), b.grad.item()
    optimizer.step()
    again = nn.MSELoss()(w * x + b, target).item()

    assert [f"{value:.4f}" for value in output.tolist()] == ["0.6661", "0.4156", "0.1651"], "outputs"
    assert (f"{loss.item():.4f}", f"{dw:.4f}", f"{db:.4f}") == ("5.3872", "-10.0049", "-4.1688"), "slopes"
    assert (f"{w.item():.4f}", f"{b.item():.4f}") == ("-0.1505", "0.9583"), "new weights"
    assert again < loss.item(), "the step went downhill"
    written = {line.name: line.value for line in chain.steps}
    taken = {"loss": loss.item(), "∂loss/∂w": dw, "∂loss/∂b": db, "w_new": w.item(), "b_new": b.item()}
    assert all(abs(written[name] - value) < 1e-5 for name, value in taken.items()), "the chain rule says the same"

    rows = [(line.name, line.numbers, line.value) for line in chain.steps if line.name != "total"]
    rows = [*rows[:4], ("w.grad", "before backward", "None"), *rows[4:]]
    numbers = {"loss": loss.item(), "again": again, "dw": dw, "db": db, "w": w.item(), "b": b.item()}
    return Measured(numbers, rows, panels(**numbers), ".4f")


def panels(loss: float, again: float, dw: float, db: float, w: float, b: float) -> list[ts.plot.Panel]:
    """The line before and after, and the loss along the direction in which both parameters moved."""
    x, share = [1.0, 2.0, 3.0], [0.1 * i for i in range(-20, 141)]

    def at(s: float) -> float:
        return sum(((W + s * (w - W)) * a + B + s * (b - B) - (a + 0.5)) ** 2 for a in x) / 3

    near = [0.25 * i for i in range(-8, 17)]
    lines = [
        ts.plot.Curve("target", x, [a + 0.5 for a in x]),
        ts.plot.Curve("before the step", x, [W * a + B for a in x]),
        ts.plot.Curve("after the step", x, [w * a + b for a in x]),
    ]
    slope = [
        ts.plot.Curve("loss", share, [at(s) for s in share]),
        ts.plot.Curve("slope that backward found", near, [loss - s * LR * (dw**2 + db**2) for s in near]),
        ts.plot.Curve("before the step", [0.0], [loss]),
        ts.plot.Curve("after the step", [1.0], [again]),
    ]
    return [
        ts.plot.Panel("input x", "output y", lines, title="The model"),
        ts.plot.Panel("distance along the gradient (1 = this step)", "mean squared error", slope, title="The loss"),
    ]
