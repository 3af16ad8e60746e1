"""Lesson 23: a penalty in the loss and weight_decay in the optimizer, and two ways in which they differ."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.lessons.lesson import Measured

STRENGTH, LR, BATCH, EPOCHS = 3.0, 0.003, 5, 40
Update = Callable[[Tensor, Tensor, Tensor], None]


def measure() -> Measured:
    """One step of each spelling from the same weights, and whole trainings on 20 samples and on 18."""
    (x, y), _ = ts.data.weight_decay()
    x, y = x.double(), y.double()
    by_optimizer = updated(x[:BATCH], y[:BATCH], built_in)
    half = float((updated(x[:BATCH], y[:BATCH], penalty(0.5)) - by_optimizer).norm() / by_optimizer.norm())
    plain = updated(x[:BATCH], y[:BATCH], penalty(1.0)) - updated(x[:BATCH], y[:BATCH], penalty(0.0))
    decayed = by_optimizer - updated(x[:BATCH], y[:BATCH], penalty(0.0))
    factor = float(plain.norm() / decayed.norm())
    assert half < 1e-12, "weight_decay = s is the penalty s / 2 ||w||²"
    assert abs(factor - 2) < 1e-6, "without the 1/2 the penalty is twice as strong"

    found = {}
    for n in (20, 18):
        full = [train(x[:n], y[:n], way) for way in (built_in, penalty(0.5), broadcast)]
        found[n] = [float((other - full[0]).norm() / full[0].norm()) for other in full[1:]]
    assert max(found[20]) < 1e-12, "with full batches all three spellings are one"
    assert found[18][0] < 1e-12, "in the ragged batch the penalty of the mean loss still agrees"
    assert found[18][1] > 1e-3, "the broadcast one does not: 3 samples, divided by 5"
    rows = [
        ("penalty s/2 ||w||² beside the mean", 1.0, found[20][0], found[18][0]),
        ("penalty s ||w||² beside the mean", factor, "-", "-"),
        ("s/2 ||w||² added to every element, / 5", 1.0, found[20][1], found[18][1]),
    ]
    sizes = [5, 4, 3, 2, 1]
    strengths = [strength(x[:m], y[:m]) for m in sizes]
    assert all(abs(s - m / BATCH) < 1e-9 for s, m in zip(strengths, sizes, strict=True)), "it is m / batch_size"
    curves = [
        ts.plot.Curve("broadcast, divided by a fixed 5", sizes, strengths),
        ts.plot.Curve("weight_decay", sizes, [1.0] * 5),
    ]
    numbers = {"factor": factor, "ragged": found[18][1], "exact": max(found[20]), "three": strengths[2], "s": STRENGTH}
    panel = ts.plot.Panel("samples in the last batch (batch size 5)", "decay in it / decay asked for", curves)
    return Measured(numbers, rows, [panel], ("", ".6f", ".1e", ".1e"))


def built_in(w: Tensor, x: Tensor, y: Tensor) -> None:
    """Mean loss, and the optimizer decays."""
    (w.grad,) = torch.autograd.grad(nn.functional.mse_loss(x @ w, y), w)
    torch.optim.SGD([w], LR, weight_decay=STRENGTH).step()


def penalty(share: float) -> Update:
    """Mean loss plus share * strength * ||w||², and plain SGD."""

    def update(w: Tensor, x: Tensor, y: Tensor) -> None:
        loss = nn.functional.mse_loss(x @ w, y) + share * STRENGTH * (w**2).sum()
        (w.grad,) = torch.autograd.grad(loss, w)
        torch.optim.SGD([w], LR).step()

    return update


def broadcast(w: Tensor, x: Tensor, y: Tensor) -> None:
    """As in a well-known book: the penalty is added to every element, the sum divided by a fixed batch size."""
    loss = (x @ w - y) ** 2 + STRENGTH / 2 * (w**2).sum()
    (w.grad,) = torch.autograd.grad(loss.sum() / BATCH, w)
    torch.optim.SGD([w], LR).step()


def start(x: Tensor) -> Tensor:
    """The same weights every time."""
    return torch.randn(x.shape[1], 1, generator=torch.Generator().manual_seed(0)).double().requires_grad_()


def updated(x: Tensor, y: Tensor, update: Update) -> Tensor:
    """The weights after one update."""
    w = start(x)
    update(w, x, y)
    return w.detach()


def train(x: Tensor, y: Tensor, update: Update) -> Tensor:
    """The weights after some epochs."""
    w = start(x)
    for _ in range(EPOCHS):
        for features, labels in zip(x.split(BATCH), y.split(BATCH), strict=True):
            update(w, features, labels)
    return w.detach()


def strength(x: Tensor, y: Tensor) -> float:
    """What the broadcast penalty adds to an update, beside the decay that was asked for."""
    bare = start(x)
    (g,) = torch.autograd.grad(((x @ bare - y) ** 2).sum() / BATCH, bare)
    added = updated(x, y, broadcast) - (bare.detach() - LR * g)
    return float(added.norm() / (LR * STRENGTH * bare.detach()).norm())
