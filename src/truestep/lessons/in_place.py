"""Lesson 6: an update must change the tensor that everybody holds, not make a new one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.lessons.lesson import Measured

STEPS, LR = 30, 0.1
Update = Callable[[list[Tensor], list[Tensor]], list[Tensor]]


def measure() -> Measured:
    """Update in place and by rebinding a name, and look at what the caller is left with."""
    seen = {name: look(update) for name, update in (("p -= lr * g", in_place), ("p = p - lr * g", rebinding))}
    assert seen["p -= lr * g"] == (True, 0, 1, True), "the same tensor, one version on, and the caller sees it"
    assert seen["p = p - lr * g"] == (False, 0, 0, False), "another tensor; the caller's is untouched"
    numbers_in_list = [1, 2]
    for number in numbers_in_list:
        number -= 1
    tensors = [torch.tensor(1), torch.tensor(2)]
    for tensor in tensors:
        tensor -= 1
    assert numbers_in_list == [1, 2], "an int cannot change: the name gets another int"
    assert [int(tensor) for tensor in tensors] == [0, 1], "a tensor can, and the list holds it"

    right, wrong = descend(in_place), descend(rebinding)
    assert right[-1] < 0.01 * right[0]
    assert wrong[-1] == wrong[0], "a model whose tensors are never changed never learns"
    rows = [(name, *found) for name, found in seen.items()]
    steps = list(range(STEPS + 1))
    curves = [ts.plot.Curve("p -= lr * g", steps, right), ts.plot.Curve("p = p - lr * g", steps, wrong)]
    numbers = {"right": right, "wrong": wrong, "ints": numbers_in_list, "tensors": [int(t) for t in tensors]}
    numbers["steps"] = STEPS
    return Measured(numbers, rows, [ts.plot.Panel("step", "mean squared error", curves, log="y")])


def in_place(params: list[Tensor], grads: list[Tensor]) -> list[Tensor]:
    """Change each tensor; returns what the function's own name stands for afterwards."""
    held = []
    for p, g in zip(params, grads, strict=True):
        p -= LR * g
        held.append(p)
    return held


def rebinding(params: list[Tensor], grads: list[Tensor]) -> list[Tensor]:
    """Make new tensors, which only the name inside the loop stands for."""
    held = []
    for p, g in zip(params, grads, strict=True):
        p = p - LR * g
        held.append(p)
    return held


def look(update: Update) -> tuple[bool, int, int, bool]:
    """Is it the same tensor? Its version before and after; does the caller's tensor hold the new value?"""
    p = torch.tensor(1.0)
    before = p._version
    (found,) = update([p], [torch.tensor(2.0)])
    return found is p, before, p._version, p.item() != 1.0


def descend(update: Update) -> list[float]:
    """The loss of a model over the steps, when `update` is what trains it."""
    x, y = ts.data.linear(100, [2.0, -3.4], 4.2)
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    losses = []
    for _ in range(STEPS + 1):
        loss = nn.functional.mse_loss(net(x), y)
        grads = torch.autograd.grad(loss, list(net.parameters()))
        losses.append(loss.item())
        with torch.no_grad():
            update(list(net.parameters()), list(grads))
    return losses
