"""Lesson 30: softmax regression on real digits, from scratch and built in, with its three curves."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.lessons.lesson import Measured

EPOCHS, BATCH, LR = 10, 32, 0.2


def measure() -> Measured:
    """Train both forms from the same weights; watch train loss, train accuracy and test accuracy."""
    scratch, built_in = from_scratch(), with_torch()
    weights = [torch.cat([p.detach().flatten() for p in run.parameters]) for run in (scratch, built_in)]
    apart = float((weights[0] - weights[1]).abs().max())
    assert apart < 1e-12, "both forms end in the same weights"
    for run in (scratch, built_in):
        last = run.history[-1]
        assert last.train_loss < 0.5
        assert 0.7 < last.train_accuracy <= 1
        assert 0.7 < last.valid_accuracy <= 1
    huge = torch.tensor([[1000.0, 0.0]]), torch.tensor([0])
    naive = -(huge[0].exp() / huge[0].exp().sum(1))[0, 0].log()
    assert naive.isnan(), "written out, exp overflows for large scores"
    assert nn.CrossEntropyLoss()(*huge) == 0, "torch's does not"
    rows = [
        (name, run.history[-1].train_loss, run.history[-1].train_accuracy, run.history[-1].valid_accuracy)
        for name, run in (("from scratch", scratch), ("built in", built_in))
    ]
    epochs = list(range(1, EPOCHS + 1))
    history = scratch.history
    panels = [
        ts.plot.Panel("epoch", "fraction, or nats per image", [
            ts.plot.Curve("train loss", epochs, history["train_loss"]),
            ts.plot.Curve("train accuracy", epochs, history["train_accuracy"]),
            ts.plot.Curve("test accuracy", epochs, history["valid_accuracy"]),
        ])
    ]  # fmt: skip
    last = history[-1]
    numbers = {"loss": last.train_loss, "train": last.train_accuracy, "test": last.valid_accuracy, "apart": apart}
    numbers |= {"naive": naive.item(), "torch": nn.CrossEntropyLoss()(*huge).item()}
    return Measured(numbers | {"epochs": EPOCHS}, rows, panels)


def data() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Digits of 64 pixels as rows, in float64 so that both forms can be compared closely."""
    (images, labels), (test, truth) = ts.data.digits(8)
    return (images.flatten(1).double(), labels), (test.flatten(1).double(), truth)


def from_scratch() -> ts.Run:
    """Scores, softmax, cross-entropy and update, all written out."""
    train, test = data()
    w = torch.zeros(64, 10, dtype=torch.float64, requires_grad=True)
    b = torch.zeros(10, dtype=torch.float64, requires_grad=True)

    def scores(x: Tensor) -> Tensor:
        return x @ w + b

    def cross_entropy(z: Tensor, y: Tensor) -> Tensor:
        shares = z.exp() / z.exp().sum(1, keepdim=True)
        return -shares[torch.arange(len(y)), y].log()

    def sgd(batch_size: int) -> None:
        for p in (w, b):
            if p.grad is not None:
                p -= LR * p.grad / batch_size

    told = {"metrics": ts.metrics.accuracy, "params": [w, b]}
    return ts.fit(scores, train, cross_entropy, sgd, EPOCHS, BATCH, test, **told)


def with_torch() -> ts.Run:
    """The same in three names of torch; its layer keeps the weights the other way round, which zeros do not show."""
    train, test = data()
    net = nn.Linear(64, 10).double()
    for p in net.parameters():
        nn.init.zeros_(p)
    update = torch.optim.SGD(net.parameters(), LR)
    run = ts.fit(net, train, nn.CrossEntropyLoss(), update, EPOCHS, BATCH, test, ts.metrics.accuracy, progress=False)
    run.parameters = [net.weight.detach().T, net.bias.detach()]
    return run
