"""Lesson 21: training and test loss against the strength of weight decay, over 20 seeds."""

from __future__ import annotations

import statistics
from itertools import pairwise

import torch
from torch import nn

import truestep as ts
from truestep.lessons.lesson import Measured

SHOWN, SEEDS = (0, 1, 2, 5, 7, 10, 20, 50, 100), 20


def measure() -> Measured:
    """Train 101 strengths with 20 seeds each, all 2,020 models at once."""
    train, test = ts.data.weight_decay()
    settings = {"fixed": {"lr": 0.003}, "seeds": SEEDS, "epochs": 100, "batch_size": 5, "validate": test}
    sgd, grid = torch.optim.SGD, {"weight_decay": range(101)}
    study = ts.sweep(model, train, nn.MSELoss(), sgd, grid=grid, **settings, compile=False, progress=False)
    trained, tested = (study.curve("weight_decay", name) for name in ("train_loss", "valid_loss"))
    x = trained.x.tolist()
    losses = {"training": trained.median.tolist(), "test": tested.median.tolist()}
    norms = [norm(study, x.index(strength)) for strength in x]

    least = losses["test"].index(min(losses["test"]))
    flat = next(i for i in range(len(x)) if max(losses["test"][i:]) < 1.1 * losses["test"][least])
    assert losses["test"][0] > 1000 * losses["test"][least], "without decay 20 samples and 200 weights overfit"
    assert losses["training"] == sorted(losses["training"]), "decay only ever costs training loss"
    assert all(a > b for a, b in pairwise(norms[:51])), "and makes the weights smaller"
    assert 0 < flat <= least < 20
    assert max(losses["test"][flat:]) < 1.1 * losses["test"][least], "from there on the test loss is flat"

    columns = (losses["training"], losses["test"], tested.low.tolist(), tested.high.tolist(), norms)
    rows = [(strength, *(column[strength] for column in columns)) for strength in SHOWN]
    curves = [
        ts.plot.Curve(name, x, losses[name], found.low.tolist(), found.high.tolist())
        for name, found in (("training", trained), ("test", tested))
    ]
    panels = [
        ts.plot.Panel("weight_decay", "mean squared error", curves, log="y"),
        ts.plot.Panel("weight_decay", "||w|| (median over 5 seeds)", [ts.plot.Curve("||w||", x, norms)], log="y"),
    ]
    numbers = {"train": losses["training"], "test": losses["test"], "least": least, "flat": flat, "norm": norms}
    return Measured(numbers | {"variants": len(study.table), "seconds": study.seconds}, rows, panels, ".3g")


def model() -> nn.Module:
    """200 weights drawn far too large, and no bias to begin with."""
    net = nn.Linear(200, 1)
    nn.init.normal_(net.weight)
    nn.init.zeros_(net.bias)
    return net


def norm(study: ts.Study, place: int) -> float:
    """The median norm of the trained weights at one strength, over 5 of its seeds."""
    found = (study.model(place * SEEDS + seed).get_parameter("weight") for seed in range(5))
    return statistics.median(float(weight.detach().norm()) for weight in found)
