"""Lesson 22: a curve over decay wobbles because every point has other starting weights."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

import truestep as ts
from truestep.lessons.decay_strength import model
from truestep.lessons.lesson import Measured

STRENGTHS, FROM = range(101), 20  # from this strength on nothing but wobbling is to be seen


def measure() -> Measured:
    """The same study twice: a seed of its own for every point, and start and order of the first shared by all."""
    train, test = ts.data.weight_decay()
    studies = {}
    for name, share in (("own start and order", ()), ("shared start and order", ("weights", "order"))):
        grid = [{"weight_decay": strength, "seed": strength} for strength in STRENGTHS]
        settings = {"fixed": {"lr": 0.003}, "epochs": 30, "batch_size": 5, "validate": test, "share": share}
        sgd = torch.optim.SGD
        study = ts.sweep(model, train, nn.MSELoss(), sgd, grid=grid, **settings, compile=False, progress=False)
        studies[name] = [row["valid_loss"] for row in study.table]
    own, shared = studies.values()
    numbers = {"own": wobble(own), "shared": wobble(shared), "turns": [turns(own), turns(shared)]}
    assert numbers["own"] > 10 * numbers["shared"], "neighbouring points differ by chance, not by decay"
    assert numbers["turns"][0] > 30 > 2 >= numbers["turns"][1], "one turns at every other point, the other hardly ever"
    rows = [
        (name, turns(values), wobble(values), values.index(min(values)), min(values))
        for name, values in studies.items()
    ]
    curves = [ts.plot.Curve(name, STRENGTHS[FROM:], values[FROM:]) for name, values in studies.items()]
    whole = [ts.plot.Curve(name, STRENGTHS, values) for name, values in studies.items()]
    panels = [
        ts.plot.Panel("weight_decay", "test loss (mean squared error)", whole, log="y", title="All strengths"),
        ts.plot.Panel("weight_decay", "test loss (mean squared error)", curves, title=f"From {FROM} on"),
    ]
    numbers["least"] = [row[3] for row in rows]
    return Measured(numbers, rows, panels, ("", "", ".2e", "", ".5f"))


def wobble(values: list[float]) -> float:
    """The mean distance of a point from the middle of its neighbours, over its level."""
    triples = zip(values[FROM - 1 :], values[FROM:], values[FROM + 1 :], strict=False)
    jumps = [abs(b - (a + c) / 2) / b for a, b, c in triples]
    return sum(jumps) / len(jumps)


def turns(values: list[float]) -> int:
    """How often the curve turns from falling to rising or back."""
    steps = [b - a for a, b in pairwise(values[FROM:])]
    return sum(a * b < 0 for a, b in pairwise(steps))
