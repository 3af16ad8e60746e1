"""The cases of the exactness matrix, each with its float64 truth: a plain loop over whole batches."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rivals.problem import IGNORED, Outcome, Pairs, Problem, weights_of

CLASSES, FEATURES, STEPS = 4, 6, 10


class Network(nn.Module):
    """A toy network; `kind` says what comes out: "value", "classes", "tokens", or "both" tokens and a value."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.kind = kind
        self.body = nn.Sequential(nn.Linear(FEATURES, 16), nn.Tanh())
        self.head = nn.Linear(16, 1 if kind == "value" else CLASSES)
        self.value = nn.Linear(16, 1) if kind == "both" else None
        with torch.no_grad():  # as a network that knows the first classes better, so that losses differ
            self.head.bias += torch.linspace(1, -1, len(self.head.bias)) if kind != "value" else 0

    def forward(self, inputs: Tensor) -> Any:
        hidden = self.body(inputs)
        output = self.head(hidden)
        if self.kind in ("tokens", "both"):
            output = output.movedim(-1, 1)  # classes second, as nn.CrossEntropyLoss wants them
        return output if self.value is None else (output, self.value(hidden.mean(dim=1)))


def _values(samples: int) -> Pairs:
    inputs = torch.randn(samples, FEATURES)
    return Pairs(inputs, (inputs[:, :2].sum(1, keepdim=True) + torch.linspace(0, 2, samples)[:, None]).contiguous())


def _classes(samples: int) -> Pairs:
    """Rare classes lie together, as they do in sorted files: batches differ in their sum of class weights."""
    labels = (torch.arange(samples) * CLASSES) // samples
    return Pairs(torch.randn(samples, FEATURES), labels)


def _tokens(samples: int) -> Pairs:
    """Sequences sorted by length, 1 to 10 labels of 10 that are not ignored; longer ones lean to other classes."""
    lengths = 1 + (torch.arange(samples) * STEPS) // samples
    labels = (torch.randint(0, CLASSES, (samples, STEPS)) + _classes(samples).targets[:, None]) // 2
    labels[torch.arange(STEPS) >= lengths[:, None]] = IGNORED
    return Pairs(torch.randn(samples, STEPS, FEATURES), labels)


def _both(samples: int) -> Pairs:
    tokens = _tokens(samples)
    return Pairs(tokens.inputs, (tokens.targets, tokens.inputs.mean(dim=(1, 2))[:, None] + 1))


_WEIGHTS = (0.2, 0.5, 2.0, 8.0)
_MSE = {"mse": (1.0, nn.MSELoss())}
_SUM = {"mse": (1.0, nn.MSELoss(reduction="sum"))}
_CE = {"ce": (1.0, nn.CrossEntropyLoss(ignore_index=IGNORED))}
_WEIGHTED = {"ce": (1.0, nn.CrossEntropyLoss(weight=torch.tensor(_WEIGHTS)))}
_TWO = {**_CE, "mse": (0.5, nn.MSELoss())}


@dataclass(frozen=True)
class Case:
    """A row: how its problem is made, what is looked at, and under ranks which samples each one holds."""

    name: str
    title: str
    kind: str
    losses: dict[str, tuple[float, nn.Module]]
    make: Callable[[int], Pairs]
    samples: int
    micro: int
    accumulate: int = 1
    wants: str = "update"
    ranks: int = 1
    edge: int = 0

    def problem(self, by_hand: bool = False) -> Problem:
        """The same every time; `micro` samples a forward pass, under ranks the share of this rank."""
        torch.manual_seed(0)
        data = self.make(self.samples)
        valid = self.make(13) if self.wants == "valid_loss" else None
        # A frozen rate keeps a reported validation loss comparable whatever the training did.
        lr = 0.0 if valid is not None else 0.01 if self.losses is _SUM else 0.2
        problem = Problem(
            Network(self.kind), copy.deepcopy(self.losses), data, self.micro, self.accumulate, lr, valid=valid
        )
        problem.wants, problem.by_hand = ("update" if self.wants == "said" else self.wants), by_hand
        problem.ranks, problem.resample = self.ranks, self.ranks > 1 and not self.edge
        if self.ranks > 1 and self.edge:
            mine = slice(0, self.edge) if problem.rank == 0 else slice(self.edge, None)
            problem.data, problem.micro = Pairs(*data[mine]), len(data.inputs[mine])
        return problem

    def truth(self) -> tuple[list[Tensor], Outcome]:
        """Change of the parameters and the losses, in float64, each step on its whole batch."""
        problem, losses = self.problem(), _MSE if self.losses is _SUM else self.losses
        torch.manual_seed(0)
        data, model = self.make(self.samples), problem.model.double()
        problem.losses = {name: (weight, copy.deepcopy(loss).double()) for name, (weight, loss) in losses.items()}
        start, total = weights_of(model), 0.0
        whole = self.samples if self.ranks > 1 else self.micro * self.accumulate
        for first in range(0, self.samples, whole):
            inputs, targets = _double(data[first : first + whole])
            loss = problem.loss(model(inputs), targets)
            total += float(loss) * len(inputs)
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            with torch.no_grad():
                for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                    parameter -= problem.lr * gradient
        outcome = Outcome(train_loss=total / self.samples)
        if problem.valid is not None:
            inputs, targets = _double(problem.valid[:])
            outcome.valid_loss = float(problem.loss(model(inputs), targets))
        return [after - before for before, after in zip(start, weights_of(model), strict=True)], outcome


def _double(batch: Any) -> Any:
    if isinstance(batch, tuple):
        return tuple(_double(part) for part in batch)
    return batch.double() if batch.is_floating_point() else batch


CASES = (
    Case("equal", "accumulation over equal micro-batches", "value", _MSE, _values, 32, 4, 4),
    Case("ragged", "ragged last micro-batch", "value", _MSE, _values, 14, 4, 4),
    Case("window", "incomplete last window of an epoch", "value", _MSE, _values, 24, 4, 4),
    Case("tokens", "sequences with ignored tokens", "tokens", _CE, _tokens, 16, 4, 4),
    Case("weights", "class weights under accumulation", "classes", _WEIGHTED, _classes, 16, 4, 4),
    Case("terms", "two loss terms with their own counts", "both", _TWO, _both, 16, 4, 4),
    Case("sum", "a sum where a mean was meant: is it said?", "value", _SUM, _values, 16, 16, 1, "said"),
    Case("ranks", "two ranks with unequal samples", "value", _MSE, _values, 12, 12, ranks=2, edge=9),
    Case("rank-tokens", "two ranks with unequal tokens", "tokens", _CE, _tokens, 8, 8, ranks=2, edge=4),
    Case("sampler", "own sampler: 9 samples on two ranks", "value", _MSE, _values, 9, 5, ranks=2),
    Case("train-loss", "reported training loss, ragged last batch", "value", _MSE, _values, 9, 4, wants="train_loss"),
    Case("valid-tokens", "reported validation loss by tokens", "tokens", _CE, _tokens, 8, 4, wants="valid_loss"),
    Case("valid-weights", "… by class weights", "classes", _WEIGHTED, _classes, 8, 4, wants="valid_loss"),
)
