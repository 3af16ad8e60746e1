"""Lesson 5: an update is not part of the model, so autograd must not see it."""

from __future__ import annotations

import torch
from torch import Tensor

import truestep as ts
from truestep.lessons.lesson import Measured

STEPS, LR = 50, 0.1


def measure() -> Measured:
    """Update by hand in three ways; count what the weight drags behind it."""
    w = torch.tensor(1.0, requires_grad=True)
    slope(w)
    try:
        w -= LR * slope(w)
        refusal = ""
    except RuntimeError as error:
        refusal = str(error).partition("\n")[0].rstrip(".")
    assert "leaf Variable that requires grad" in refusal, "in place, torch refuses"

    right, seen = [], []
    w = torch.tensor(1.0, requires_grad=True)
    for _ in range(STEPS):
        g = slope(w)
        with torch.no_grad():
            w -= LR * g
        right.append(behind(w))
    end = w.item()
    w = torch.tensor(1.0, requires_grad=True)
    for _ in range(STEPS):
        w = w - LR * slope(w)  # a new tensor that remembers how it was made
        seen.append(behind(w))
    assert w.item() == end, "the numbers are the same"
    assert not w.is_leaf, "but the weight is no parameter any more, and its .grad stays empty"
    assert right[-1] == 0
    assert seen[-1] - seen[-2] == seen[1] - seen[0] > 0, "the graph grows by the same again at every step"

    rows = [
        ("with no_grad: w -= lr * g", end, right[0], right[-1], True),
        ("w = w - lr * g", w.item(), seen[0], seen[-1], w.is_leaf),
    ]
    numbers = {"refusal": refusal, "steps": STEPS, "nodes": seen[-1], "end": end}
    steps = list(range(1, STEPS + 1))
    curves = [
        ts.plot.Curve("with no_grad: w -= lr * g", steps, right),
        ts.plot.Curve("w = w - lr * g", steps, seen),
    ]
    return Measured(numbers, rows, [ts.plot.Panel("step", "operations that w drags behind it", curves)], ".6f")


def slope(w: Tensor) -> Tensor:
    """The gradient of the loss (w - 3)^2 at w."""
    (g,) = torch.autograd.grad((w - 3) ** 2, w)
    return g


def behind(w: Tensor) -> int:
    """How many operations autograd keeps alive for a tensor."""
    todo, found = [w.grad_fn], set()
    while todo:
        node = todo.pop()
        if node is not None and node not in found:
            found.add(node)
            todo += [following for following, _ in node.next_functions]
    return len(found)
