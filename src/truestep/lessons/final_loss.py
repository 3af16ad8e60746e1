"""Lesson 28: the loss during an epoch, after it, and of the best weights are three numbers."""

from __future__ import annotations

import torch
from torch import nn

import truestep as ts
from truestep.lessons.lesson import Measured

EPOCHS, BATCH = 25, 32


def measure() -> Measured:
    """Train on real digits; take the loss while an epoch trains, and on the same images after it."""
    (images, labels), valid = ts.data.digits(8)
    train = images[:300], labels[:300]
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10))
    loss, after = nn.CrossEntropyLoss(), list[float]()

    def evaluated(event: ts.events.Event) -> None:
        if isinstance(event, ts.events.EpochEnded):
            after.append(ts.evaluate(net, train, loss).loss)

    update = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
    run = ts.fit(net, train, loss, update, EPOCHS, BATCH, valid, progress=False, observers=[evaluated])
    during, tested = run.history["train_loss"], run.history["valid_loss"]
    assert run.best is not None
    record = run.load_best(net)
    best = ts.evaluate(net, train, loss).loss, ts.evaluate(net, valid, loss).loss
    assert during[0] > after[0], "while the first epoch trains, most batches see weights that are not yet good"
    assert abs(best[1] - record.valid_loss) < 1e-6, "the best weights are really those of their epoch"
    assert record.epoch < EPOCHS
    assert best[1] < tested[-1], "and better than the last ones on images that were not trained on"
    assert best[0] > after[-1], "though not on the training images"

    rows = [
        ("during the epoch", 1, during[0], "-"),
        ("after the epoch", 1, after[0], tested[0]),
        ("during the epoch", EPOCHS, during[-1], "-"),
        ("after the epoch", EPOCHS, after[-1], tested[-1]),
        ("of the best weights", record.epoch, *best),
    ]
    epochs = list(range(1, EPOCHS + 1))
    curves = [
        ts.plot.Curve("training, during the epoch", epochs, during),
        ts.plot.Curve("training, after the epoch", epochs, after),
        ts.plot.Curve("validation, after the epoch", epochs, tested),
    ]
    panel = ts.plot.Panel("epoch", "cross-entropy (nats per image)", curves, log="y")
    numbers = {"during": during, "after": after, "tested": tested[-1], "best": best, "epoch": record.epoch}
    return Measured(numbers | {"last": EPOCHS - 1}, rows, [panel])
