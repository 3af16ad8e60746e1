"""Linear regression: two weights and a bias found again in 1,000 noisy samples, by hand and built in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.recipes import choose
from truestep.recipes.studies import RATES, descent

FORMS = ("by-hand", "built-in")
W, B, NOISE = (2.0, -3.4), 4.2, 0.01


def train(
    form: str = "by-hand",
    data: ts.data.Split | None = None,
    epochs: int = 3,
    batch_size: int = 10,
    lr: float = 0.03,
    seed: int = 0,
    **fit: Any,
) -> ts.Run:
    """Fit y = w x + b by minibatch gradient descent on the squared error; both forms end in the same weights.

    Args:
        form: by-hand writes model, loss and update out; built-in takes them from torch.
        data: None draws 1,000 samples to train and 200 to test from w = [2, -3.4], b = 4.2, noise 0.01.
        epochs: how often to go over the samples.
        batch_size: samples an update.
        lr: learning rate, per update of the mean gradient.
        seed: of the samples, the start and the order.
        **fit: settings of `ts.fit`.

    Convention: "Dive into Deep Learning", 3.4 and 3.5, without its factor 1/2 in the squared error.
    """
    samples, test = data or draw(seed)
    w, b = start(seed, samples[0])
    loss: Any
    if choose("form", form, FORMS) == "by-hand":
        net, params = (lambda x: x @ w + b), [w.requires_grad_(), b.requires_grad_()]
        loss, update = squared_error, lambda batch_size: sgd(params, lr, batch_size)
    else:
        net = as_layer(w, b)
        params = list(net.parameters())
        loss, update = nn.MSELoss(), torch.optim.SGD(params, lr)
    schedule = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    return ts.fit(net, samples, loss, update, validate=test, params=params, **schedule, **fit)


def study(data: ts.data.Split | None = None) -> dict[str, Any]:
    """16 learning rates, each with 10 starts and orders; all on one draw of the samples."""
    samples, test = data or draw(0)
    what = {"train": samples, "validate": test, "objective": nn.MSELoss(), "grid": {"lr": RATES}}
    how = {"seeds": 10, "epochs": 3, "batch_size": 10, "evaluate_every": 1, "optimizer": descent(0.03)}
    return {"make_model": lambda seed: as_layer(*start(seed, samples[0])), **what, **how}


def squared_error(output: Tensor, y: Tensor) -> Tensor:
    """One element a sample: fit takes their mean."""
    return (output - y) ** 2


def sgd(params: Sequence[Tensor], lr: float, batch_size: float) -> None:
    """Gradient descent on a batch: `grad` holds the sum over its samples, and the step follows their mean."""
    for p in params:
        if p.grad is not None:
            p -= lr * p.grad / batch_size


def start(seed: int, x: Tensor) -> tuple[Tensor, Tensor]:
    """Small random weights and no bias, in the precision and on the device of `x`."""
    generator = torch.Generator().manual_seed(seed)
    w = torch.normal(0.0, 0.01, (x.shape[1], 1), generator=generator)
    return w.to(x), x.new_zeros(1)


def as_layer(w: Tensor, b: Tensor) -> nn.Linear:
    """The same numbers in a layer of torch, which keeps its weight the other way round."""
    layer = nn.Linear(len(w), len(b)).to(w)
    layer.load_state_dict({"weight": w.T, "bias": b})
    return layer


def draw(seed: int) -> ts.data.Split:
    """Samples of y = w x + b + noise, to train and to test."""
    return ts.data.Split(ts.data.linear(1000, W, B, NOISE, seed), ts.data.linear(200, W, B, NOISE, seed + 1))


def learned(run: ts.Run) -> str:
    """The weights and the bias that were found, beside those that made the data."""
    w, b = (", ".join(f"{number:.4f}" for number in p.flatten().tolist()) for p in run.parameters)
    return f"w = [{w}], b = {b}; the data were made with w = {list(W)}, b = {B}"
