"""One model after another: the loop of the tutorials, and the careful loop that everything is compared with."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from studies.study import Study

Weights = dict[str, Tensor]


def tutorial(study: Study, points: Sequence[dict[str, Any]]) -> list[float]:
    """A `DataLoader` that shuffles, and a loss read in every step."""
    losses = []
    for point in points:
        model, optimizer = _made(study, point)
        loader = DataLoader(TensorDataset(*study.data), study.batch_size, shuffle=True)
        for _ in range(study.epochs):
            total = 0.0
            for inputs, targets in loader:
                optimizer.zero_grad()
                loss = study.loss(model(inputs), targets)
                loss.backward()
                optimizer.step()
                total += loss.item() * len(inputs)
        losses.append(total / len(study.data[0]))
    return losses


def careful(study: Study, points: Sequence[dict[str, Any]]) -> list[float]:
    """One gather an epoch, slices of it as batches, losses kept as tensors."""
    losses = []
    for point in points:
        model, optimizer = _made(study, point)
        for epoch in range(1, study.epochs + 1):
            order, total = study.order(point["seed"], epoch), torch.zeros(())
            inputs, targets = (side[order] for side in study.data)
            for at in range(0, len(order), study.batch_size):
                x, y = inputs[at : at + study.batch_size], targets[at : at + study.batch_size]
                optimizer.zero_grad()
                loss = study.loss(model(x), y)
                loss.backward()
                optimizer.step()
                total += loss.detach() * len(x)
        losses.append(float(total) / len(study.data[0]))
    return losses


def one_step(study: Study, point: dict[str, Any], weights: Weights, row: Tensor) -> Weights:
    """The weights after one careful step from `weights` on the samples `row`."""
    model, optimizer = _made(study, point)
    model.load_state_dict(weights)
    study.loss(model(study.data[0][row]), study.data[1][row]).backward()
    optimizer.step()
    return {name: each.detach() for name, each in model.named_parameters()}


def _made(study: Study, point: dict[str, Any]) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = study.made(point["seed"])
    options = {name: value for name, value in point.items() if name != "seed"}
    return model, torch.optim.SGD(model.parameters(), **study.fixed, **options)
