"""Softmax regression: one layer from pixels to 10 classes, by hand and built in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.recipes import choose
from truestep.recipes.linreg import as_layer, sgd
from truestep.recipes.studies import descent, of_images

FORMS = ("by-hand", "built-in")
CLASSES = 10


def train(
    form: str = "by-hand",
    data: str | ts.data.Split = "digits",
    epochs: int = 20,
    batch_size: int = 256,
    lr: float = 0.1,
    seed: int = 0,
    **fit: Any,
) -> ts.Run:
    """Classify images by one linear layer and the cross-entropy; both forms end in the same weights.

    Args:
        form: by-hand writes softmax, cross-entropy and update out; built-in takes them from torch.
        data: digits (shipped), mnist, fashion-mnist or a folder of IDX files; or a `ts.data.Split`.
        epochs: how often to go over the images.
        batch_size: images an update.
        lr: learning rate, per update of the mean gradient.
        seed: of the start and the order.
        **fit: settings of `ts.fit`.

    Convention: "Dive into Deep Learning", 4.4 and 4.5.
    """
    images, test = data if isinstance(data, ts.data.Split) else ts.data.load(data)
    net, params = model(form, images[0], seed)
    loss, update = loss_and_update(form, params, lr)
    schedule = {"epochs": epochs, "batch_size": batch_size, "seed": seed, "metrics": ts.metrics.accuracy}
    return ts.fit(net, images, loss, update, validate=test, params=params, **schedule, **fit)


def model(form: str, like: Tensor, seed: int = 0) -> tuple[Callable[[Tensor], Tensor], list[Tensor]]:
    """The network for images such as `like`, and its parameters: small random weights, no bias."""
    generator = torch.Generator().manual_seed(seed)
    w = torch.normal(0.0, 0.01, (like[0].numel(), CLASSES), generator=generator).to(like)
    b = like.new_zeros(CLASSES)
    if choose("form", form, FORMS) == "by-hand":
        return (lambda x: x.flatten(1) @ w + b), [w.requires_grad_(), b.requires_grad_()]
    net = nn.Sequential(nn.Flatten(), as_layer(w, b))
    return net, list(net.parameters())


def study(data: str | ts.data.Split = "digits", size: int = 8) -> dict[str, Any]:
    """16 learning rates, each with 10 starts and orders.

    Args:
        data: digits (shipped), mnist, fashion-mnist or a folder of IDX files; or a `ts.data.Split`.
        size: pixels of a side, to which the images are resized.
    """
    how = {"seeds": 10, "epochs": 20, "batch_size": 256, "optimizer": descent(0.1)}
    return {**of_images(data, size, model, "built-in"), **how}


def loss_and_update(form: str, params: list[Tensor], lr: float) -> tuple[Any, Any]:
    """What is minimised, and how: written out, or torch's own."""
    if form == "by-hand":
        return cross_entropy, lambda batch_size: sgd(params, lr, batch_size)
    return nn.CrossEntropyLoss(), torch.optim.SGD(params, lr)


def cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """-log of the probability of the right class, one element an image."""
    return -log_softmax(scores)[torch.arange(len(labels), device=labels.device), labels]


def log_softmax(scores: Tensor) -> Tensor:
    """log(exp(s_i) / sum_j exp(s_j)) in each row; without its largest score a row cannot overflow exp."""
    scores = scores - scores.amax(1, keepdim=True).detach()
    return scores - scores.exp().sum(1, keepdim=True).log()
