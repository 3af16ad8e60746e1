"""What the studies of several recipes share: learning rates, gradient descent, and classifiers of images."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import truestep as ts

RATES = [10 ** (k / 5) for k in range(-15, 1)]  # 0.001 to 1


def descent(lr: float, momentum: float = 0.0) -> Callable[..., torch.optim.SGD]:
    """What makes gradient descent for a model, with these settings where a study does not vary them."""

    def sgd(model: nn.Module, lr: float = lr, momentum: float = momentum) -> torch.optim.SGD:
        return torch.optim.SGD(model.parameters(), lr, momentum)

    return sgd


def of_images(data: str | ts.data.Split, size: int, model: Callable[..., Any], form: str) -> dict[str, Any]:
    """The arguments of `ts.sweep` for a classifier, the `model(form, like, seed, ...)` of a recipe."""
    train, test = data if isinstance(data, ts.data.Split) else ts.data.load(data, size)
    make = functools.partial(model, form, train[0])

    @functools.wraps(make)  # the settings that the model takes can be varied too
    def network(**settings: Any) -> nn.Module:
        return make(**settings)[0]

    what = {"train": train, "validate": test, "objective": nn.CrossEntropyLoss(), "grid": {"lr": RATES}}
    return {"make_model": network, **what, "metrics": {"accuracy": ts.metrics.accuracy}, "evaluate_every": 1}
