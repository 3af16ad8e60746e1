"""Weight decay: 200 inputs and 20 samples overfit unless the weights are held small, by hand and built in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.recipes import choose
from truestep.recipes.linreg import as_layer, sgd, squared_error

FORMS = ("by-hand", "built-in")


def train(
    form: str = "by-hand",
    data: ts.data.Split | None = None,
    epochs: int = 100,
    batch_size: int = 5,
    lr: float = 0.003,
    seed: int = 0,
    weight_decay: float = 3.0,
    **fit: Any,
) -> ts.Run:
    """Minimise error + weight_decay / 2 * ||w||^2; the bias is left alone, and both forms end in the same weights.

    Args:
        form: by-hand adds the penalty to the loss; built-in leaves it to the optimizer.
        data: None draws 20 samples to train and 100 to test from y = 0.05 + sum 0.01 x + 0.01 noise.
        epochs: how often to go over the samples.
        batch_size: samples an update.
        lr: learning rate, per update of the mean gradient.
        seed: of the samples, the start and the order.
        weight_decay: strength of the penalty; 0 leaves it out.
        **fit: settings of `ts.fit`.

    Convention: "Dive into Deep Learning", 3.7, without its factor 1/2 in the squared error.
    """
    samples, test = data or ts.data.weight_decay(seed=seed)
    w, b = start(seed, samples[0])
    objective: Any
    if choose("form", form, FORMS) == "by-hand":
        net, params = (lambda x: x @ w + b), [w.requires_grad_(), b.requires_grad_()]
        # The penalty has no elements to take the mean of; its count says how it is put together from parts of a batch.
        penalty = ts.Term(
            lambda output, y: (w**2).sum() / 2,
            weight=weight_decay,
            reduction="mean",
            count=lambda output, y: len(y),
        )
        objective, update = ts.Objective(error=squared_error, penalty=penalty), lambda size: sgd(params, lr, size)
    else:
        net = as_layer(w, b)
        params = list(net.parameters())
        objective, update = nn.MSELoss(), descent(net, lr, weight_decay)
        # The penalty is hidden in the optimizer, and the loss is the error alone.
        fit = {"metrics": {"error": ts.metrics.mean_squared_error}, **fit}
    schedule = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    return ts.fit(net, samples, objective, update, validate=test, params=params, **schedule, **fit)


def study(data: ts.data.Split | None = None) -> dict[str, Any]:
    """Strengths of the decay from 0 to 100, each with 20 starts and orders; all on one draw of the samples."""
    samples, test = data or ts.data.weight_decay()
    what = {"train": samples, "validate": test, "objective": nn.MSELoss(), "optimizer": descent}
    how = {"seeds": 20, "epochs": 100, "batch_size": 5, "evaluate_every": 10}
    make = {"make_model": lambda seed: as_layer(*start(seed, samples[0])), "grid": {"weight_decay": range(101)}}
    return {**make, **what, **how}


def descent(model: nn.Module, lr: float = 0.003, weight_decay: float = 3.0) -> torch.optim.SGD:
    """Gradient descent that holds the weights small and leaves the bias alone."""
    return torch.optim.SGD(ts.decay_groups(model, weight_decay), lr)


def start(seed: int, x: Tensor) -> tuple[Tensor, Tensor]:
    """Weights far too large for the problem, and no bias, in the precision and on the device of `x`."""
    w = torch.randn(x.shape[1], 1, generator=torch.Generator().manual_seed(seed))
    return w.to(x), x.new_zeros(1)


def learned(run: ts.Run) -> str:
    """What the size of the weights has to do with the error on samples that were not trained on."""
    last, size = run.history[-1], float(run.parameters[0].detach().norm())
    return f"||w|| = {size:.3g}; error {last.train_error:.3g} in training, {last.valid_error:.3g} in the test"
