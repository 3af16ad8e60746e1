"""Lesson 10: the two branches of the classic epoch loop, and what happens when they are mixed up."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.lessons.lesson import Measured

EPOCHS, BATCH, LR = 3, 10, 0.03
Update = Callable[[list[Tensor], int, float], None]


def measure() -> Measured:
    """Train linear regression by both branches and by both mixtures of them; the last batch has 3 samples."""
    built_in, own = train("mean", step), train("sum", sgd)
    twice, never = train("mean", sgd), train("sum", step)
    apart = max(float((a - b).abs().max()) for a, b in zip(built_in[1], own[1], strict=True))
    assert apart < 1e-12, "both branches walk through the same weights, ragged batch included"
    assert own[0][-1] < 2e-4
    faster, lost = train("mean", step, 4 * LR)[0][-1], train("sum", step, 4 * LR)[0][-1]
    assert faster < 2e-4, "the mean takes four times the rate"
    assert lost > 1e6, "the sum that nobody divides does not"
    assert twice[0][-1] > 1000 * own[0][-1], "divided twice, the steps are ten times too short"
    whole = ts.fit(*fitted("own"), progress=False), ts.fit(*fitted("torch"), progress=False)
    assert whole[0].history[-1].train_loss - whole[1].history[-1].train_loss < 1e-9, "ts.fit takes either"

    named = {
        "l.mean(), torch.optim.SGD": built_in,
        "l.sum(), own update / batch size": own,
        "l.mean(), own update / batch size": twice,
        "l.sum(), torch.optim.SGD": never,
    }
    rows = [(name, *weights[-1].tolist(), losses[-1]) for name, (losses, weights) in named.items()]
    epochs = list(range(EPOCHS + 1))
    curves = [ts.plot.Curve(name, epochs, losses) for name, (losses, _) in named.items()]
    numbers = {
        "apart": apart,
        "right": own[0][-1],
        "twice": twice[0][-1],
        "never": never[0][-1],
        "n": BATCH,
        "lr": 4 * LR,
        "lost": lost,
    }
    panel = ts.plot.Panel("epoch", "mean squared error", curves, log="y")
    return Measured(numbers, rows, [panel])


def train(reduction: str, update: Update, lr: float = LR) -> tuple[list[float], list[Tensor]]:
    """The loss on all samples before training and after each epoch, and weights and bias after each update."""
    x, y = ts.data.linear(1003, [2.0, -3.4], 4.2, dtype=torch.float64)
    w, b = torch.zeros(2, 1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    params = [w.requires_grad_(), b.requires_grad_()]
    losses = [nn.functional.mse_loss(x @ w + b, y).item()]
    path = list[Tensor]()
    for _ in range(EPOCHS):
        for features, labels in zip(x.split(BATCH), y.split(BATCH), strict=True):
            elements = (features @ w + b - labels) ** 2
            (elements.sum() if reduction == "sum" else elements.mean()).backward()
            update(params, len(labels), lr)
            w.grad = b.grad = None
            path.append(torch.cat([w.detach().flatten(), b.detach()]))
        losses.append(nn.functional.mse_loss(x @ w + b, y).item())
    return losses, path


def sgd(params: list[Tensor], batch_size: int, lr: float = LR) -> None:
    """The update written by hand: the gradient is a sum, so it is divided here."""
    with torch.no_grad():
        for p in params:
            assert p.grad is not None
            p -= lr * p.grad / batch_size


def step(params: list[Tensor], batch_size: int, lr: float) -> None:
    """The update of torch, which knows nothing of the batch and divides by nothing."""
    torch.optim.SGD(params, lr).step()


def fitted(kind: str) -> tuple[nn.Module, tuple[Tensor, Tensor], nn.Module, object, int, int]:
    """The same as one call of `ts.fit`, which gives an updater of your own summed gradients and the number."""
    torch.manual_seed(0)
    net = nn.Linear(2, 1).double()
    params: list[Tensor] = list(net.parameters())
    update = torch.optim.SGD(params, LR) if kind == "torch" else lambda number: sgd(params, number)
    data = ts.data.linear(1003, [2.0, -3.4], 4.2, dtype=torch.float64)
    return net, data, nn.MSELoss(), update, EPOCHS, BATCH
