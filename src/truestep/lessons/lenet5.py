"""Lesson 29: LeNet-5 on real digits, and which weights a program really keeps as its best."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

import truestep as ts
from truestep.lessons.lesson import Measured

EPOCHS, BATCH, HELD_OUT, SEED = 14, 16, 287, 10
WAYS = {  # copies the model, updates the minimum, validates
    "all three bugs, as published": (False, False, False),
    "copy mended": (True, False, False),
    "copy and minimum mended": (True, True, False),
    "all mended": (True, True, True),
    "right, but best = model": (False, True, True),
    "right, but a stale minimum": (True, False, True),
}


def measure() -> Measured:
    """Train once while six ways of keeping the best weights watch the same run, then test what each has kept."""
    # In float64, since rounding in float32 differs from processor to processor and, amplified, changes the best epoch.
    (images, labels), test = ((images.double(), labels) for images, labels in ts.data.digits())
    train, valid = (images[HELD_OUT:], labels[HELD_OUT:]), (images[:HELD_OUT], labels[:HELD_OUT])
    torch.manual_seed(SEED)
    net = lenet5().double()
    kept = {name: Keeper(net, *flags) for name, flags in WAYS.items()}
    update, loss = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9), nn.CrossEntropyLoss()
    told = {"validate": valid, "metrics": ts.metrics.accuracy, "seed": SEED, "observers": list(kept.values())}
    run = ts.fit(net, train, loss, update, EPOCHS, BATCH, **told)
    assert run.best is not None

    published, _, lucky, right, *_ = kept.values()
    wrong = [name for name in WAYS if kept[name] not in (lucky, right)]
    assert all(same(kept[name].best, net) for name in wrong), "each of these has kept the weights of the last epoch"
    assert published.best is net, "a reference is the model itself, which trains on"
    tested = {name: ts.evaluate(keeper.best, test, loss, ts.metrics.accuracy) for name, keeper in kept.items()}
    run.load_best(net)
    assert same(right.best, net), "ts.fit keeps what the right way keeps"
    assert right.epoch == run.best.epoch < lucky.epoch < EPOCHS

    saved = {name: EPOCHS if name in wrong else keeper.epoch for name, keeper in kept.items()}
    accuracy = {name: seen.metrics["accuracy"] for name, seen in tested.items()}
    rows = [(name, k.epoch, saved[name], tested[name].loss, accuracy[name]) for name, k in kept.items()]
    assert all(rows[3][3] < row[3] and rows[3][4] > row[4] > 0.9 for row in rows if row is not rows[3])
    epochs = list(range(1, EPOCHS + 1))
    curves = [
        ts.plot.Curve("validation loss", epochs, run.history["valid_loss"]),
        ts.plot.Curve("training loss of the epoch's last batch", epochs, right.batches),
    ]
    bars = [ts.plot.Bars("test loss of what was kept", {name: seen.loss for name, seen in tested.items()})]
    panels = [
        ts.plot.Panel("epoch", "cross-entropy (nats per image)", curves, log="y"),
        ts.plot.Panel("test cross-entropy (nats per image)", "way of keeping the best", bars=bars),
    ]
    numbers = {"last": rows[0], "lucky": rows[2], "right": rows[3], "held_out": HELD_OUT}
    return Measured(numbers, rows, panels, ".3f")


def lenet5() -> nn.Sequential:
    """Two convolutions and three dense layers, as built today."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


class Keeper:
    """Keeps the best model as programs do, rightly or not: `copies` it, `updates` the minimum, `validates`."""

    def __init__(self, net: nn.Module, copies: bool, updates: bool, validates: bool) -> None:
        self.net, self.copies, self.updates, self.validates = net, copies, updates, validates
        self.best, self.least, self.epoch = net, math.inf, 0
        self.batch_loss, self.batches = math.nan, list[float]()

    def __call__(self, event: ts.events.Event) -> None:
        """See one event of the run."""
        if isinstance(event, ts.events.Stepped):
            self.batch_loss = event.out.loss
        if isinstance(event, ts.events.EpochEnded):
            self.batches.append(self.batch_loss)
            seen = event.record.valid_loss if self.validates else self.batch_loss
            if seen < self.least:
                self.best = copy.deepcopy(self.net) if self.copies else self.net
                self.least = seen if self.updates else self.least
                self.epoch = event.record.epoch


def same(one: nn.Module, other: nn.Module) -> bool:
    """Whether all weights are equal to the bit."""
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
