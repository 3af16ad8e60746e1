"""Lesson 16: a loss that is carried from step to step carries its graph along."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.lessons.lesson import Measured
from truestep.lessons.no_grad import behind

STEPS = 40


def measure() -> Measured:
    """Carry the loss with and without retain_graph, and as a plain number."""
    twice, in_place = error_of(carried, retain=False), error_of(carried, retain=True)
    assert "backward through the graph a second time" in twice
    assert "modified by an inplace operation" in in_place, "retain_graph leads to the next error"
    grown, flat = graphs(detach=False), graphs(detach=True)
    assert grown[-1] - grown[-2] == grown[1] - grown[0] > 0, "kept graphs grow by the same again at every step"
    assert max(flat) == flat[0], "a number has no graph"

    rows = [
        ("total = total + loss; total.backward()", short(twice), "-", "-"),
        ("the same, retain_graph=True", short(in_place), "-", "-"),
        ("total = total + loss, no backward of it", "no error", grown[0], grown[-1]),
        ("total += loss.item()", "no error", flat[0], flat[-1]),
    ]
    steps = list(range(1, STEPS + 1))
    curves = [
        ts.plot.Curve("total = total + loss", steps, grown),
        ts.plot.Curve("total += loss.item()", steps, flat),
    ]
    numbers = {"twice": short(twice), "in_place": short(in_place), "first": grown[0], "last": grown[-1]}
    panel = ts.plot.Panel("step", "operations that autograd keeps alive", curves)
    return Measured(numbers | {"steps": STEPS, "flat": flat[-1]}, rows, [panel])


def error_of(program: Callable[[bool], None], retain: bool) -> str:
    """What torch says."""
    try:
        program(retain)
    except RuntimeError as error:
        return str(error)
    return ""


def carried(retain: bool) -> None:
    """Two steps that add each loss to the last and differentiate the sum."""
    net, optimizer, x, y = start()
    total = torch.zeros(())
    for _ in range(2):
        optimizer.zero_grad()
        total = total + nn.functional.mse_loss(net(x), y)
        total.backward(retain_graph=retain)
        optimizer.step()


def graphs(detach: bool) -> list[int]:
    """How many operations are alive after each step, where a running total is kept for the log."""
    net, optimizer, x, y = start()
    total, alive = torch.zeros(()), []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        total = total + (loss.item() if detach else loss)
        alive.append(behind(total) if total.requires_grad else 0)
    return alive


def start() -> tuple[nn.Module, torch.optim.Optimizer, Tensor, Tensor]:
    """A small network and its data; two layers, so that the second step needs what the first one changed."""
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    x, y = ts.data.linear(50, [2.0, -3.4], 4.2)
    return net, torch.optim.SGD(net.parameters(), lr=0.01), x, y


def short(words: str) -> str:
    """The first part of an error of torch."""
    return words.partition(" (")[0].partition(":")[0]
