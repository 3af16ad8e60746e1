"""Small problems for `fit`, each beside its terms in plain torch, and the same samples in every form of data."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset, IterableDataset

import truestep as ts
from laws.step_cases import CLASSES, WEIGHT, WIDTH, both, close, labels, network, normal
from reference import fit as by_hand

Data = tuple[Any, Any]


@dataclass(frozen=True)
class Case:
    """`objective` for truestep; `terms`, the same in plain torch."""

    objective: ts.Objective
    terms: by_hand.Terms
    target: Callable[[int, torch.Generator], Any]

    def data(self, samples: int, seed: int = 1) -> Data:
        generator = torch.Generator().manual_seed(seed)
        inputs = torch.randn(samples, WIDTH, generator=generator, dtype=torch.float64)
        return inputs, self.target(samples, generator)


def squares(output: Tensor, target: Tensor) -> Tensor:
    return (output - target).square().sum()


def entropy(output: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(output, target, WEIGHT, reduction="sum")


def entropy_count(output: Tensor, target: Tensor) -> Tensor:
    return WEIGHT[target[target >= 0]].sum()


def of(name: str, function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda output, target: function(output, target[name])


def numel(output: Tensor, target: Tensor) -> int:
    return target.numel()


CASES = {
    "values": Case(ts.Objective(nn.MSELoss()), {"MSELoss": by_hand.Term(squares, numel)}, normal),
    "tokens": Case(
        ts.Objective(nn.CrossEntropyLoss(WEIGHT)), {"CrossEntropyLoss": by_hand.Term(entropy, entropy_count)}, labels
    ),
    "sum": Case(
        ts.Objective(ts.Term(nn.MSELoss(reduction="sum"), 0.05)), {"MSELoss": by_hand.Term(squares, None, 0.05)}, normal
    ),
    "mixed": Case(
        ts.Objective(
            values=ts.Term(nn.MSELoss(), 0.5, of=lambda o, y: (o, y["values"])),
            tokens=ts.Term(nn.CrossEntropyLoss(WEIGHT), of=lambda o, y: (o, y["tokens"])),
            summed=ts.Term(nn.MSELoss(reduction="sum"), 0.01, of=lambda o, y: (o, y["values"])),
        ),
        {
            "values": by_hand.Term(of("values", squares), of("values", numel), 0.5),
            "tokens": by_hand.Term(of("tokens", entropy), of("tokens", entropy_count)),
            "summed": by_hand.Term(of("values", squares), None, 0.01),
        },
        both,
    ),
}


class Items(Dataset):
    """A map-style data set that returns one sample at a time."""

    def __init__(self, data: Data) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(by_hand.leaves(self.data)[0])

    def __getitem__(self, position: int) -> Any:
        return tuple(_item(side, position) for side in self.data)


class Stream(IterableDataset):
    """The same samples, one after another."""

    def __init__(self, data: Data) -> None:
        self.items = Items(data)

    def __iter__(self) -> Iterator[Any]:
        return (self.items[position] for position in range(len(self.items)))


def _item(tree: Any, position: int) -> Any:
    if isinstance(tree, dict):
        return {name: value[position] for name, value in tree.items()}
    return tuple(value[position] for value in tree) if isinstance(tree, tuple) else tree[position]


def sgd(model: nn.Module, lr: float = 0.1, **options: Any) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=lr, **options)


def simple(**options: Any) -> ts.Run:
    """A short silent run on 13 labels, none ignored; what is given takes the place of what it has."""
    model = options.pop("model", None) or network()
    x, y = CASES["tokens"].data(13)
    own = {
        "train": (x, y.clamp(min=0)),
        "objective": CASES["tokens"].objective,
        "optimizer": sgd(model) if "optimizer" not in options else None,
        "epochs": 2,
        "batch_size": None if "train" in options else 4,
        "progress": False,
    }
    return ts.fit(model, **{**own, **options})


def normalised() -> nn.Sequential:
    """With batch normalisation and dropout."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.1), nn.Linear(4, 5)).double()


def by_the_user(model: nn.Module) -> Callable[[float], None]:
    """An updater written by hand: it divides summed gradients itself."""

    def update(batch_size: float) -> None:
        for parameter in model.parameters():
            assert parameter.grad is not None
            parameter -= 0.1 * parameter.grad / batch_size

    return update


def with_dropout() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(WIDTH, 8), nn.Dropout(0.5), nn.Linear(8, CLASSES)).double()


def weights(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def same_figures(history: ts.History, expected: list[by_hand.Record], rtol: float = 1e-12) -> bool:
    """Whether each figure of the reference is in the history, NaN for NaN."""
    if len(history) != len(expected):
        return False
    pairs = [
        (record[name], figure)
        for record, other in zip(history, expected, strict=True)
        for name, figure in other.items()
    ]
    return all((a != a and b != b) or close(a, b, rtol) for a, b in pairs)
