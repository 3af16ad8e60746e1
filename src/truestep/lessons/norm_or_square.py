"""Lesson 25: the norm pulls with one strength at any size, its square in proportion to the size."""

from __future__ import annotations

import math

import torch
from torch import Tensor

import truestep as ts
from truestep.lessons.lesson import Measured

STRENGTH, LR, STEPS = 0.5, 0.1, 60
SIZES = (0.01, 0.1, 1.0, 10.0)


def measure() -> Measured:
    """The gradients of both penalties and what the optimizer applies, at many sizes and over many steps."""
    rows = []
    for size in SIZES:
        w = (size * torch.tensor([0.6, 0.8], dtype=torch.float64)).requires_grad_()
        (norm,) = torch.autograd.grad(w.norm(), w)
        (square,) = torch.autograd.grad(w.square().sum() / 2, w)
        applied = optimizer_pull(w)
        assert torch.allclose(norm, w / w.norm()), "of the norm: a vector of length 1"
        assert torch.equal(square, w.detach()), "of half its square: w itself"
        assert torch.allclose(applied, STRENGTH * w, rtol=1e-9), "the optimizer applies the square's"
        rows.append((size, float(norm.norm()), float(square.norm()), float(applied.norm()) / STRENGTH))
    at_zero = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(at_zero.square().sum().sqrt(), at_zero)
    assert slope.isnan().all(), "written as a root, the norm has no slope at zero: not a number"

    by_norm, by_square = path(square=False), path(square=True)
    gone = next(step for step, size in enumerate(by_norm) if size < LR * STRENGTH)
    assert gone <= 21, "a constant pull arrives"
    assert abs(by_square[-1] / (1 - LR * STRENGTH) ** STEPS - 1) < 1e-9, "a proportional one never quite does"
    steps = list(range(STEPS + 1))
    sizes = [0.05 * i for i in range(1, 61)]
    pulls = [
        ts.plot.Curve("norm: ||w||", sizes, [1.0] * len(sizes)),
        ts.plot.Curve("squared: ||w||² / 2", sizes, sizes),
    ]
    paths = [ts.plot.Curve("norm: ||w||", steps, by_norm), ts.plot.Curve("squared: ||w||² / 2", steps, by_square)]
    panels = [
        ts.plot.Panel("||w||", "length of the gradient", pulls),
        ts.plot.Panel("step", "||w|| when only the penalty acts", paths),
    ]
    numbers = {"gone": gone, "left": by_square[-1], "steps": STEPS}
    return Measured(numbers, rows, panels)


def optimizer_pull(w: Tensor) -> Tensor:
    """What weight_decay moves the weights by, over lr, where the loss has no gradient."""
    before = w.detach().clone()
    held = before.clone().requires_grad_()
    held.grad = torch.zeros_like(held)
    torch.optim.SGD([held], lr=LR, weight_decay=STRENGTH).step()
    return (before - held.detach()) / LR


def path(square: bool) -> list[float]:
    """The size of the weight over the steps, from 1."""
    size, found = 1.0, [1.0]
    for _ in range(STEPS):
        pull = STRENGTH * (size if square else math.copysign(min(1.0, size / (LR * STRENGTH)), size))
        size -= LR * pull
        found.append(size)
    return found
