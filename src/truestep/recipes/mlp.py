"""Multilayer perceptron: pixels, 256 hidden ReLU units, 10 classes, by hand and built in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.recipes import choose
from truestep.recipes.linreg import as_layer
from truestep.recipes.softmax import CLASSES, loss_and_update
from truestep.recipes.studies import descent, of_images

FORMS = ("by-hand", "built-in")


def train(
    form: str = "by-hand",
    data: str | ts.data.Split = "digits",
    epochs: int = 20,
    batch_size: int = 256,
    lr: float = 0.1,
    seed: int = 0,
    hidden: int = 256,
    **fit: Any,
) -> ts.Run:
    """Classify images by two layers with a ReLU between them; both forms end in the same weights.

    Args:
        form: by-hand writes layers, loss and update out; built-in takes them from torch.
        data: digits (shipped), mnist, fashion-mnist or a folder of IDX files; or a `ts.data.Split`.
        epochs: how often to go over the images.
        batch_size: images an update.
        lr: learning rate, per update of the mean gradient.
        seed: of the start and the order.
        hidden: units of the hidden layer.
        **fit: settings of `ts.fit`.

    Convention: "Dive into Deep Learning", 5.2.
    """
    images, test = data if isinstance(data, ts.data.Split) else ts.data.load(data)
    net, params = model(form, images[0], seed, hidden)
    loss, update = loss_and_update(form, params, lr)
    schedule = {"epochs": epochs, "batch_size": batch_size, "seed": seed, "metrics": ts.metrics.accuracy}
    return ts.fit(net, images, loss, update, validate=test, params=params, **schedule, **fit)


def model(form: str, like: Tensor, seed: int = 0, hidden: int = 256) -> tuple[Callable[[Tensor], Tensor], list[Tensor]]:
    """The network for images such as `like`, and its parameters: weights of variance 2 / inputs, no biases."""
    generator = torch.Generator().manual_seed(seed)
    sizes = ((like[0].numel(), hidden), (hidden, CLASSES))
    w1, w2 = ((torch.randn(size, generator=generator) * (2 / size[0]) ** 0.5).to(like) for size in sizes)
    b1, b2 = like.new_zeros(hidden), like.new_zeros(CLASSES)
    if choose("form", form, FORMS) == "by-hand":
        params = [p.requires_grad_() for p in (w1, b1, w2, b2)]
        return (lambda x: relu(x.flatten(1) @ w1 + b1) @ w2 + b2), params
    net = nn.Sequential(nn.Flatten(), as_layer(w1, b1), nn.ReLU(), as_layer(w2, b2))
    return net, list(net.parameters())


def study(data: str | ts.data.Split = "digits", size: int = 8) -> dict[str, Any]:
    """16 learning rates, each with 3 starts and orders; `hidden` can be varied as well.

    Args:
        data: digits (shipped), mnist, fashion-mnist or a folder of IDX files; or a `ts.data.Split`.
        size: pixels of a side, to which the images are resized.
    """
    how = {"seeds": 3, "epochs": 20, "batch_size": 256, "optimizer": descent(0.1)}
    return {**of_images(data, size, model, "built-in"), **how}


def relu(x: Tensor) -> Tensor:
    """max(x, 0), with no gradient where nothing passes."""
    return x * (x > 0)
