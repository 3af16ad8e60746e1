"""Lesson 15: one update an epoch from the joined losses, and a popular program that joins nothing."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

import truestep as ts
from truestep.lessons.lesson import Measured

N, BATCH, LR, EPOCHS, SEED = 1000, 10, 0.03, 300, 5


def measure() -> Measured:
    """Train three ways: an update a batch, one an epoch, and one an epoch whose torch.cat goes nowhere."""
    runs = {
        "an update a batch": train(each_batch, 3),
        "losses joined, one update an epoch": train(joined, EPOCHS),
        "torch.cat's result dropped": train(dropped, EPOCHS),
    }
    (_, loop), (_, right), (_, wrong) = runs.values()
    gradients = torch.stack([slope(joined), slope(full_batch)])
    apart = float((gradients[0] - gradients[1]).abs().max())
    assert apart < 1e-12, "joining is full-batch descent"
    assert loop[-1] < 1e-3, "3 epochs of 100 updates do what"
    assert right[-1] < 1e-3, "300 epochs of one update do"
    assert 12.5 < wrong[-1] < 13.5, "and the popular program is still near 13"
    share = float((slope(dropped) @ gradients[1]) / (gradients[1] @ gradients[1]))
    assert 0 < share < 0.02, "only the first batch counts, divided by the whole epoch"

    updates = {"an update a batch": 3 * N // BATCH, "losses joined, one update an epoch": EPOCHS}
    found = {name: ", ".join(f"{value:.3f}" for value in w.tolist()) for name, (w, _) in runs.items()}
    rows = [
        (name, len(losses) - 1, updates.get(name, EPOCHS), losses[-1], found[name])
        for name, (_, losses) in runs.items()
    ]
    curves = [ts.plot.Curve(name, range(len(losses)), losses) for name, (_, losses) in runs.items()]
    numbers = {"loop": loop[-1], "right": right[-1], "wrong": wrong[-1], "start": wrong[0], "share": share}
    panel = ts.plot.Panel("epoch", "mean of (out - y)² / 2", curves, log="y")
    return Measured(numbers | {"epochs": EPOCHS}, rows, [panel])


SAMPLES, LABELS = ts.data.linear(N, [2.0, -3.4], 4.2, seed=SEED, dtype=torch.float64)
X, Y = torch.cat([SAMPLES, torch.ones(N, 1)], 1), LABELS.flatten()  # the last weight is the bias


def shuffled() -> list[tuple[Tensor, Tensor]]:
    """The batches of an epoch, in a new order each time."""
    order = torch.randperm(N)
    return list(zip(X[order].split(BATCH), Y[order].split(BATCH), strict=True))


def loss(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """One element a sample, with the textbook's factor 1/2."""
    return (x @ w - y) ** 2 / 2


def each_batch(w: Tensor) -> None:
    """The loop: an update a batch."""
    for x, y in shuffled():
        (g,) = torch.autograd.grad(loss(w, x, y).sum(), w)
        w.data -= LR * g / BATCH


def joined(w: Tensor) -> None:
    """The losses of all batches joined, then one update of their mean."""
    elements = torch.cat([loss(w, x, y) for x, y in shuffled()])
    (g,) = torch.autograd.grad(elements.sum(), w)
    w.data -= LR * g / N


def dropped(w: Tensor) -> None:
    """As published: torch.cat returns the joined losses, and nobody takes them."""
    elements = None
    for x, y in shuffled():
        if elements is None:
            elements = loss(w, x, y)
        else:
            torch.cat((elements, loss(w, x, y)))
    assert elements is not None
    (g,) = torch.autograd.grad(elements.sum(), w)
    w.data -= LR * g / N


def full_batch(w: Tensor) -> None:
    """No batches at all."""
    (g,) = torch.autograd.grad(loss(w, X, Y).mean(), w)
    w.data -= LR * g


def train(epoch: Callable[[Tensor], None], epochs: int) -> tuple[Tensor, list[float]]:
    """Weights and bias at the end, and the loss before training and after each epoch."""
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    losses = [loss(w, X, Y).mean().item()]
    for _ in range(epochs):
        epoch(w)
        losses.append(loss(w, X, Y).mean().item())
    return w.detach(), losses


def slope(epoch: Callable[[Tensor], None]) -> Tensor:
    """The direction of one epoch from the start, over lr."""
    return -train(epoch, 1)[0] / LR
