"""LeNet-5: two convolutions and three dense layers on images, as in 1998 and as it is built today."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.recipes import choose
from truestep.recipes.studies import descent, of_images

FORMS = ("modern", "classic")
RATES = {"modern": 0.02, "classic": 0.1}
# Draws of variance 2 / (inputs + outputs) suit an activation of slope 1. Half of ReLU's inputs meet the slope 0, and a
# sigmoid's slope is 1/4 at best: without these gains the signal fades from layer to layer, and sigmoids learn nothing.
GAINS = {"modern": 2**0.5, "classic": 4.0}


def train(
    form: str = "modern",
    data: str | ts.data.Split = "digits",
    epochs: int = 15,
    batch_size: int = 32,
    lr: float | None = None,
    seed: int = 0,
    momentum: float = 0.9,
    smoothing: float = 0.1,
    **fit: Any,
) -> ts.Run:
    """Classify images of 28x28 pixels by LeNet-5, cross-entropy and gradient descent with momentum.

    Args:
        form: classic has sigmoids and average pooling; modern has ReLU and max pooling.
        data: digits (shipped), mnist, fashion-mnist or a folder of IDX files; or a `ts.data.Split`.
        epochs: how often to go over the images.
        batch_size: images an update.
        lr: learning rate, per update of the mean gradient (0.02 for modern, 0.1 for classic); None takes these.
        seed: of the start and the order.
        momentum: how much of the last update is kept in the next.
        smoothing: share of each label that is spread over all classes, which keeps the network from growing too sure.
        **fit: settings of `ts.fit`.

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998.
    """
    images, test = data if isinstance(data, ts.data.Split) else ts.data.load(data)
    net, params = model(form, images[0], seed)
    update = torch.optim.SGD(params, RATES[form] if lr is None else lr, momentum)
    loss = nn.CrossEntropyLoss(label_smoothing=smoothing)
    schedule = {"epochs": epochs, "batch_size": batch_size, "seed": seed, "metrics": ts.metrics.accuracy}
    return ts.fit(net, images, loss, update, validate=test, **schedule, **fit)


def model(form: str, like: Tensor, seed: int = 0) -> tuple[Callable[[Tensor], Tensor], list[Tensor]]:
    """The network for images such as `like`, and its parameters."""
    if min(like.shape[-2:]) < 12:
        raise ts.ConfigError(
            f"LeNet-5 needs images of at least 12x12 pixels, and these have {like.shape[-1]}: size=16."
        )
    modern = choose("form", form, FORMS) == "modern"
    side = (like.shape[-1] // 2 - 4) // 2  # after padding, pooling, convolution, pooling: 5 of 28
    activation, pool = (nn.ReLU, nn.MaxPool2d) if modern else (nn.Sigmoid, nn.AvgPool2d)
    net = nn.Sequential(
        *(nn.Conv2d(1, 6, kernel_size=5, padding=2), activation(), pool(2)),
        *(nn.Conv2d(6, 16, kernel_size=5), activation(), pool(2), nn.Flatten()),
        *(nn.Linear(16 * side * side, 120), activation(), nn.Linear(120, 84), activation(), nn.Linear(84, 10)),
    )
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        else:
            nn.init.xavier_uniform_(parameter, GAINS[form], generator)
    return net.to(like), list(net.parameters())


def study(form: str = "modern", data: str | ts.data.Split = "digits", size: int = 16) -> dict[str, Any]:
    """16 learning rates, one start and order each, on images of 16x16 pixels, which take a third of the time of 28x28.

    Args:
        form: classic has sigmoids and average pooling; modern has ReLU and max pooling.
        data: digits (shipped), mnist, fashion-mnist or a folder of IDX files; or a `ts.data.Split`.
        size: pixels of a side, at least 12, to which the images are resized.
    """
    choose("form", form, FORMS)
    how = {"seeds": 1, "epochs": 5, "batch_size": 32, "optimizer": descent(RATES[form], 0.9)}
    return {**of_images(data, size, model, form), **how}
