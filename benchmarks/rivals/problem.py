"""What every library is given: a network, losses, data, and how much of it a forward pass and a step may take."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

IGNORED = -100


class NotOffered(Exception):
    """The library has no way of its own to do this; the reason is its note."""


@dataclass
class Outcome:
    """What a library reports after training; the trained weights are in the problem's model."""

    train_loss: float | None = None
    valid_loss: float | None = None
    note: str = ""
    said: str = ""


class Pairs(Dataset):
    """A data set of (inputs, targets), where targets may be a tuple: one for each loss."""

    def __init__(self, inputs: Tensor, targets: Any) -> None:
        self.inputs, self.targets = inputs, targets

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        if isinstance(self.targets, tuple):
            return self.inputs[index], tuple(target[index] for target in self.targets)
        return self.inputs[index], self.targets[index]


@dataclass
class Problem:
    """Train `model` on `data` in order, with SGD.

    Args:
        losses: name -> (weight, loss of torch); the k-th of several takes the k-th output and the k-th target.
        micro: samples a forward pass; `accumulate`: forward passes a step.
        wants: "update", "train_loss" or "valid_loss": which figure of the library is looked at.
        by_hand: use the hook, if the library documents one, through which its user states the count.
        resample: under ranks, whether the library itself shares out `data`; else `data` is this rank's own share.
        batches: ready batches instead of `data`, so that a timing does not measure collation.
    """

    model: nn.Module
    losses: dict[str, tuple[float, nn.Module]]
    data: Pairs
    micro: int
    accumulate: int = 1
    lr: float = 0.5
    epochs: int = 1
    valid: Pairs | None = None
    wants: str = "update"
    by_hand: bool = False
    ranks: int = 1
    resample: bool = False
    batches: Dataset | None = None

    @property
    def rank(self) -> int:
        return int(os.environ.get("RANK", "0"))

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.model.parameters(), lr=self.lr)

    def loss(self, output: Any, target: Any) -> Tensor:
        """The loss as its user writes it: torch's own mean over the batch at hand, the terms added up."""
        return _weighted(self.losses, output, target)

    def total(self, output: Any, target: Any) -> Tensor:
        """The same as a sum, for a user who divides by a count of his own."""
        summed = {name: (weight, copy.copy(loss)) for name, (weight, loss) in self.losses.items()}
        for _, loss in summed.values():
            loss.__dict__["reduction"] = "sum"
        return _weighted(summed, output, target)

    @staticmethod
    def count(target: Tensor) -> int:
        """What documentations count: labels that are not ignored."""
        return int(target.ne(IGNORED).sum())

    def weight(self, target: Tensor) -> float:
        """What the mean of the loss divides by: as `count`, with class weights their sum."""
        ((_, loss),) = self.losses.values()
        weights = getattr(loss, "weight", None)
        return self.count(target) if weights is None else float(weights[target].sum())

    def loader(
        self,
        data: Pairs | None = None,
        samples: int | None = None,
        sampler: Sampler | None = None,
        form: Callable[[tuple[Any, Any]], Any] | None = None,
    ) -> DataLoader:
        """An ordinary loader in the order of the data; `form` changes (inputs, targets) to what the library wants."""
        if self.batches is not None and data is None:
            return DataLoader(self.batches, batch_size=None, collate_fn=form)
        collate = None if form is None else lambda rows: form(torch.utils.data.default_collate(rows))
        return DataLoader(
            self.data if data is None else data, samples or self.micro, sampler=sampler, collate_fn=collate
        )

    def only_labels_counted(self, hook: str) -> None:
        """Refuse a count by hand where the hook, as it is documented, does not count what the mean divides by."""
        if len(self.losses) > 1:
            raise NotOffered(f"{hook} knows one count, and this objective has {len(self.losses)}")
        if any(getattr(loss, "weight", None) is not None for _, loss in self.losses.values()):
            raise NotOffered(f"{hook} counts labels, not class weights")


def _weighted(losses: dict[str, tuple[float, nn.Module]], output: Any, target: Any) -> Tensor:
    if len(losses) == 1:
        output, target = (output,), (target,)
    terms = [weight * loss(output[k], target[k]) for k, (weight, loss) in enumerate(losses.values())]
    return sum(terms[1:], terms[0])


def by_hand_only_for(problem: Problem, *wants: str) -> None:
    """Refuse a count by hand except for these figures."""
    if problem.by_hand and problem.wants not in wants:
        raise NotOffered("no hook for a count")


def weights_of(model: nn.Module) -> Sequence[Tensor]:
    """A copy of the parameters in float64."""
    return [parameter.detach().double().clone() for parameter in model.parameters()]
