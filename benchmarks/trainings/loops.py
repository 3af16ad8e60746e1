"""Loops written by hand: that of the tutorials, the careful one, and one whose parts are compiled by torch."""

import sys
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from trainings.workload import Data, Training, Weights


def tutorial(training: Training) -> None:
    for _ in tutorial_epochs(training):
        training.ended(training.weights)


def careful(training: Training) -> None:
    for _ in careful_epochs(training):
        training.ended(training.weights)


def shown(training: Training) -> None:
    """The careful loop, with its loss shown after each epoch."""
    for epoch, loss in enumerate(careful_epochs(training), 1):
        print(f"epoch {epoch}/{training.epochs}  loss {loss:.4f}", file=sys.stderr)


def tutorial_epochs(training: Training) -> Iterator[float]:
    """A `DataLoader` that shuffles, and a loss read in every step."""
    model, loss_of, optimizer = training.model, training.loss, training.optimizer()
    loader = DataLoader(TensorDataset(*training.data), training.batch, shuffle=True)
    for _ in range(training.epochs):
        total = 0.0
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = loss_of(model(inputs), targets)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(inputs)
        yield total / len(training.data[0])


def careful_epochs(training: Training) -> Iterator[float]:
    """One gather an epoch, slices of it as batches, losses kept as tensors, an optimizer with foreach."""
    model, loss_of, optimizer = training.model, training.loss, training.optimizer(foreach=True)
    for _ in range(training.epochs):
        total = torch.zeros(())
        for x, y in slices(training.data, training.batch):
            optimizer.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(x)
        yield float(total) / len(training.data[0])


def compiled(training: Training) -> None:
    """The careful loop with `torch.compile` around the loss of the model, and around the update."""
    torch.compiler.reset()
    model, loss_of, optimizer = training.model, training.loss, training.optimizer(foreach=True)

    @torch.compile
    def loss_in(x: Tensor, y: Tensor) -> Tensor:
        return loss_of(model(x), y)

    @torch.compile
    def update() -> None:
        optimizer.step()

    for _ in range(training.epochs):
        total = torch.zeros(())
        for x, y in slices(training.data, training.batch):
            optimizer.zero_grad()
            loss = loss_in(x, y)
            loss.backward()
            update()
            total += loss.detach() * len(x)
        float(total)
        training.ended(training.weights)


def slices(data: Data, batch: int) -> Iterator[Data]:
    order = torch.randperm(len(data[0]))
    inputs, targets = (side.index_select(0, order) for side in data)
    for at in range(0, len(order), batch):
        yield inputs[at : at + batch], targets[at : at + batch]


def one_step(model: nn.Module, training: Training, weights: Weights) -> Weights:
    """The weights after one careful step from `weights` on all of the data."""
    model.load_state_dict(weights, strict=False)
    model.zero_grad()
    training.loss(model(training.data[0]), training.data[1]).backward()
    torch.optim.SGD(model.parameters(), training.lr).step()
    return {name: each.detach().clone() for name, each in model.named_parameters()}
