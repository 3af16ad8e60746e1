"""Lesson 20: a loss of the summed output beside a loss of each output, which no micro-batch can see."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.lessons.lesson import Measured

SIZES = (1, 2, 4, 8, 16, 32, 64)


def measure() -> Measured:
    """Ask the ledger for the shares at many batch sizes, and split a batch that cannot be split."""
    rows = []
    for n in SIZES:
        ledger = ts.explain(make(n), *batch(n))
        rows.append((n, ledger.shares["each"], ledger.shares["whole"], parted(n)))
    shares = {n: (each, whole) for n, each, whole, _ in rows}
    assert abs(shares[1][0] - 0.5) < 0.01, "for one sample the two terms are the same"
    assert shares[64][1] > 0.9, "the gradient of the summed view grows with the batch"
    assert [whole for _, whole in shares.values()] == sorted(whole for _, whole in shares.values())
    try:
        make(64, micro_batch=32)(*batch(64))
        refusal = ""
    except ts.CountError as error:
        refusal = str(error).rstrip(".")
    assert "couples the samples of a batch" in refusal
    off = rows[-1][3]
    assert off > 0.1, "half sums are not the sum: (a + b)² is not a² + b²"

    curves = [
        ts.plot.Curve("MSE(output, target)", SIZES, [100 * shares[n][0] for n in SIZES]),
        ts.plot.Curve("MSE(sum of outputs, sum of targets)", SIZES, [100 * shares[n][1] for n in SIZES]),
    ]
    panel = ts.plot.Panel("batch size (samples)", "share of the update (%)", curves, log="x")
    numbers = {"eight": shares[8][1], "most": shares[64][1], "off": off, "refusal": refusal}
    return Measured(numbers, rows, [panel], ("", ".1%", ".1%", ".1%"))


def batch(n: int) -> tuple[Tensor, Tensor]:
    """The first n of 64 samples."""
    x, y = ts.data.linear(64, [2.0, -3.4], 4.2, dtype=torch.float64)
    return x[:n], y[:n]


def make(n: int, micro_batch: int | None = None) -> ts.TrainStep:
    """A step of both terms, always from the same weights."""
    torch.manual_seed(0)
    net = nn.Linear(2, 1).double()
    whole = ts.Term(nn.MSELoss(), of=lambda out, y: (out.sum(), y.sum()), couples=True)
    return ts.TrainStep(
        net, ts.Objective(each=nn.MSELoss(), whole=whole), torch.optim.SGD(net.parameters(), 0.01), micro_batch
    )


def parted(n: int) -> float:
    """How far the gradient of both terms is off when the batch is split into halves and the halves are averaged."""
    if n == 1:
        return 0.0
    x, y = batch(n)
    torch.manual_seed(0)
    net = nn.Linear(2, 1).double()

    def gradient(parts: int) -> Tensor:
        losses = []
        for a, b in zip(x.split(n // parts), y.split(n // parts), strict=True):
            out = net(a)
            losses.append(nn.functional.mse_loss(out, b) + nn.functional.mse_loss(out.sum(), b.sum()))
        return torch.cat([g.flatten() for g in torch.autograd.grad(torch.stack(losses).mean(), list(net.parameters()))])

    whole = gradient(1)
    return float((gradient(2) - whole).norm() / whole.norm())
