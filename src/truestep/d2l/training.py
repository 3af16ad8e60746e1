"""The book's training loops, exact for every loss and both kinds of updater."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

import truestep as ts
from truestep.d2l.counting import Timer
from truestep.d2l.evaluation import Moved, Net, evaluate_accuracy, evaluate_accuracy_gpu, hits
from truestep.d2l.figures import Animator, show_images
from truestep.d2l.images import class_names
from truestep.d2l.reading import NOTHING, Reading

CURVES = ["train loss", "train acc", "test acc"]


class Trained(NamedTuple):
    """The figures of the last epoch: the loss and the accuracy during it, and the accuracy on the test set after it."""

    train_loss: float
    train_acc: float
    test_acc: float


class Steps:
    """Exact steps of one network on batch after batch, and the figures of an epoch of them."""

    def __init__(self, net: Net, loss: Any, updater: Any) -> None:
        self._net, self._updater = net, updater
        self._reading = Reading(loss, by_hand=callable(updater) and not isinstance(updater, Optimizer))
        self._step: ts.TrainStep | None = None
        self.begin()

    def begin(self) -> None:
        """Begin an epoch: the network trains, and nothing is counted yet."""
        if isinstance(self._net, nn.Module):
            self._net.train()
        self._lost, self._right = NOTHING, NOTHING
        self.samples = 0

    def __call__(self, X: Tensor, y: Tensor) -> None:
        """Take one step."""
        self._step = self._step or self._first(X)
        out = self._step(X, y)
        self._lost += self._reading.figure
        self._right += out.metrics["right"]
        self.samples += out.samples

    @property
    def figures(self) -> tuple[float, float]:
        """The loss and the accuracy of the epoch so far. Raises `DataError` where there was no batch."""
        if not self.samples:
            raise ts.DataError(
                "train_iter gave no batch: look for empty data, or for a generator, which is used up after one epoch."
            )
        return float(self._lost), float(self._right)

    def _first(self, X: Tensor) -> ts.TrainStep:
        """The step, once a first batch is there: what a plain function computes with is known from its output."""
        net, params = self._net, None
        if not isinstance(self._updater, Optimizer) and not isinstance(net, nn.Module):
            outputs = [net(X)]
            params = _leaves(outputs[0])
            net = lambda X: outputs.pop() if outputs else self._net(X)  # noqa: E731 - the first output is not wasted
        right = {"right": lambda y_hat, y: ts.Loss(hits(y_hat, y).sum(), y.numel())}
        return ts.TrainStep(net, ts.Objective(self._reading), self._updater, params=params, metrics=right)


def train_epoch_ch3(net: Net, train_iter: Iterable[Any], loss: Any, updater: Any) -> tuple[float, float]:
    """Train for one epoch; returns the loss, as the mean over all elements, and the share of right predictions.

    Weights and figures are exact for every loss, elements, mean or sum, and for both kinds of updater; the short last
    batch counts by its samples.

    Args:
        net: a module, or a function `net(X)` of tensors that require a gradient.
        train_iter: batches `(X, y)`.
        loss: a loss of torch with any `reduction`, or a function `loss(y_hat, y)` that returns elements or one number,
            the mean or the sum of its samples. Where an optimizer of torch takes the step, a sum is a sum: its gradient
            is as many times larger as a batch has elements.
        updater: an optimizer of torch, or a function `updater(batch_size)` that divides summed gradients.

    Raises:
        ConfigError: for an updater that is neither, or for a number that an updater written by hand cannot divide.
        NonFiniteError: where a loss or a gradient is not finite, before the weights move.
        DataError: where there is no batch.
    """
    steps = Steps(net, loss, updater)
    for X, y in Moved(train_iter):
        steps(X, y)
    return steps.figures


def train_ch3(
    net: Net, train_iter: Iterable[Any], test_iter: Iterable[Any], loss: Any, num_epochs: int, updater: Any
) -> Trained:
    """Train for `num_epochs` epochs, drawing the curves, and return the last figures.

    The book's version stops with an error where the loss ends above 0.5 or an accuracy below 0.7. So does every short
    run; here a sentence on stderr says it.
    """
    _need_epochs(num_epochs)
    animator = Animator(xlabel="epoch", xlim=[1, num_epochs], legend=CURVES)
    last = Trained(math.nan, math.nan, math.nan)
    for epoch in range(num_epochs):
        figures = train_epoch_ch3(net, train_iter, loss, updater)
        last = Trained(*figures, evaluate_accuracy(net, test_iter))
        animator.add(epoch + 1, last)
    animator.draw()
    _say_what_is_short(last, num_epochs)
    return last


def predict_ch3(net: Net, test_iter: Iterable[Any], n: int = 6) -> None:
    """Show the first `n` images of the first batch, the true class over the predicted one.

    Classes are those that the data set of `test_iter` names, else those of Fashion-MNIST.
    """
    X, y = next(iter(Moved(test_iter)))
    X, y = X[:n], y[:n]
    scores: list[Tensor] = []

    def keep(y_hat: Tensor, y: Tensor) -> Tensor:
        scores.append(y_hat)
        return hits(y_hat, y)

    ts.evaluate(net, (X, y), keep, batch_size=len(X))
    names = (class_names(test_iter, labels) for labels in (y, scores[0].argmax(1)))
    show_images(X, 1, len(X), titles=["\n".join(pair) for pair in zip(*names, strict=True)])


def train_ch6(
    net: nn.Module,
    train_iter: Any,
    test_iter: Iterable[Any],
    num_epochs: int,
    lr: float,
    device: Any,
    *,
    init: bool = True,
) -> Trained:
    """Train on `device` with cross-entropy and gradient descent, draw the curves, print and return the last figures.

    Args:
        net: the network; it is moved to `device`.
        train_iter: batches `(X, y)`, of which there is at least one; the curves get about five points an epoch.
        test_iter: batches to test on after each epoch.
        num_epochs: how often to go over the batches.
        lr: learning rate, per update of the mean gradient.
        device: "cpu", or what `try_gpu()` returns.
        init: start anew from Xavier's weights, as the book does; False keeps the weights that `net` has.
    """
    _need_epochs(num_epochs)
    num_batches = _length(train_iter)
    if init:
        net.apply(_xavier)
    print("training on", device)
    net.to(device)
    steps = Steps(net, nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), lr=lr))
    animator = Animator(xlabel="epoch", xlim=[0, num_epochs], legend=CURVES)
    timer, samples, last = Timer(), 0, Trained(math.nan, math.nan, math.nan)
    for epoch in range(num_epochs):
        steps.begin()
        for i, (X, y) in enumerate(Moved(train_iter, device), 1):
            timer.start()
            steps(X, y)
            timer.stop()
            if i % max(1, num_batches // 5) == 0 or i == num_batches:
                animator.add(epoch + i / num_batches, (*steps.figures, None))
        samples += steps.samples
        last = Trained(*steps.figures, evaluate_accuracy_gpu(net, test_iter, device))
        animator.add(epoch + 1, (None, None, last.test_acc))
    animator.draw()
    print(f"loss {last.train_loss:.3f}, train acc {last.train_acc:.3f}, test acc {last.test_acc:.3f}")
    print(f"{samples / timer.sum():.1f} examples/sec on {device}")
    return last


def _leaves(output: Tensor) -> list[Tensor]:
    """The tensors that require a gradient and that `output` was computed from."""
    found: dict[Any, Tensor] = {}
    seen, todo = set(), [output.grad_fn]
    while todo:
        node = todo.pop()
        if node is not None and node not in seen:
            seen.add(node)
            if hasattr(node, "variable"):
                found[node] = node.variable  # pyright: ignore[reportAttributeAccessIssue]
            todo += [parent for parent, _ in node.next_functions]
    if not found:
        raise ts.ConfigError(
            "net computes with no tensor that requires a gradient: give its weights requires_grad=True."
        )
    return list(found.values())


def _xavier(layer: nn.Module) -> None:
    if type(layer) in (nn.Linear, nn.Conv2d):
        nn.init.xavier_uniform_(layer.weight)  # pyright: ignore[reportArgumentType]


def _need_epochs(num_epochs: int) -> None:
    if num_epochs < 1:
        raise ts.ConfigError(f"num_epochs is {num_epochs}, and training takes at least 1.")


def _length(train_iter: Any) -> int:
    try:
        return len(train_iter)
    except TypeError:
        raise ts.DataError(
            "train_ch6 has to know how many batches an epoch has: give a DataLoader over a data set with a length."
        ) from None


def _say_what_is_short(last: Trained, num_epochs: int) -> None:
    short = [f"the train loss is {last.train_loss:.3f} (below 0.5)"] if not last.train_loss < 0.5 else []
    names = {"train": last.train_acc, "test": last.test_acc}
    short += [f"the {name} accuracy is {share:.3f} (above 0.7)" for name, share in names.items() if not share > 0.7]
    if short:
        epochs = f"{num_epochs} epoch{'s' * (num_epochs > 1)}"
        print(f"after {epochs} {', '.join(short)}, where the book ends at what stands in brackets.", file=sys.stderr)
