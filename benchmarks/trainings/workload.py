"""What is trained: models, their data, and the ratios that `ts.fit` is to reach on them, all with plain descent."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import truestep as ts

Weights = dict[str, Tensor]
Data = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Training:
    """One run of a contender, which says `ended` after each epoch.

    Args:
        ended: takes a function that gives the weights as they are now, for contenders that keep them outside `model`.
    """

    model: nn.Module
    loss: nn.Module
    data: Data
    batch: int
    lr: float
    epochs: int
    ended: Callable[[Callable[[], Weights]], None]

    def optimizer(self, **options: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.model.parameters(), self.lr, **options)

    def weights(self) -> Weights:
        return {name: each.detach() for name, each in self.model.named_parameters()}


@dataclass(frozen=True)
class Workload:
    """`goals`: way -> the ratio to the tutorial loop that is to be reached (to the careful loop where `whole`).

    `whole` times whole calls from the making of the optimizer on; else epochs are timed after the first ones.
    """

    name: str
    kind: str
    make: Callable[[], nn.Module]
    data: Callable[[], Data]
    loss: nn.Module
    batch: int
    lr: float
    goals: Mapping[str, float]
    whole: int = 0

    def training(self, epochs: int, ended: Callable[[Any], None] = lambda weights: None, samples: int = 0) -> Training:
        """A fresh start, on the first `samples` alone where they are given."""
        torch.manual_seed(0)
        inputs, targets = self.data()
        some = slice(0, samples or len(inputs))
        return Training(self.make(), self.loss, (inputs[some], targets[some]), self.batch, self.lr, epochs, ended)

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return len(self.data()[0]) // self.batch

    def double(self) -> Workload:
        """The same in float64."""

        def data() -> Data:
            inputs, targets = self.data()
            return tuple(x.double() if x.is_floating_point() else x for x in (inputs, targets))  # type: ignore[return-value]

        return replace(self, make=lambda: self.make().double(), data=data)


class Transformer(nn.Module):
    """Two layers of width 128, without kinks, that read 16 tokens of 64 kinds, and name a token at each place."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(64, 128), nn.Parameter(torch.randn(16, 128) * 0.02)
        layer = nn.TransformerEncoderLayer(
            128, 4, 512, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(128, 64)
        for name, each in self.named_parameters():
            if name.endswith("bias") and not each.any():  # torch starts some at 0, where no error could be relative
                nn.init.uniform_(each, -0.09, 0.09)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.layers(self.token(tokens) + self.place)).transpose(1, 2)


def softmax() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def lenet() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10)),
    )


def images(samples: int) -> Data:
    """Real digits: MNIST's test images where TRUESTEP_DATA names their folder, else those that truestep ships."""
    folder = Path(os.environ.get("TRUESTEP_DATA", ""), "mnist")
    if (folder / "t10k-images-idx3-ubyte.gz").exists():
        read = ts.data.read_idx
        inputs = read(folder / "t10k-images-idx3-ubyte.gz").unsqueeze(1).float() / 255
        targets = read(folder / "t10k-labels-idx1-ubyte.gz").long()
    else:
        inputs, targets = ts.data.digits(28).train
    often = -(-samples // len(inputs))
    return inputs.repeat(often, 1, 1, 1)[:samples], targets.repeat(often)[:samples]


def points() -> Data:
    """1,000 samples of a line in two inputs with noise, as in Dive into Deep Learning."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(1000, 2, generator=generator)
    noise = 0.01 * torch.randn(1000, 1, generator=generator)
    return inputs, inputs @ torch.tensor([[2.0], [-3.4]]) + 4.2 + noise


def sentences() -> Data:
    tokens = torch.randint(64, (512, 16), generator=torch.Generator().manual_seed(0))
    return tokens, tokens.flip(1)


def workloads() -> Iterator[Workload]:
    entropy, square = nn.CrossEntropyLoss(), nn.MSELoss()
    line, digits = (lambda: nn.Linear(2, 1), points, square, 10, 0.03), images(5120)
    few = digits[0][:2560], digits[1][:2560]
    yield Workload("linear regression, 300 steps with set-up", "linear", *line,
                   {"eager": 1.0, "exact": 1.8}, whole=3)  # fmt: skip
    yield Workload("linear regression 2-1, batch 10", "linear", *line, {"eager": 2, "compiled": 30})
    yield Workload("softmax 784-10, batch 256", "mlp", softmax, lambda: digits, entropy, 256, 0.1,
                   {"eager": 2, "compiled": 5})  # fmt: skip
    yield Workload("MLP 784-256-10, batch 256", "mlp", mlp, lambda: digits, entropy, 256, 0.1,
                   {"eager": 1.3, "compiled": 1.5})  # fmt: skip
    yield Workload("LeNet 28x28, batch 256", "lenet", lenet, lambda: few, entropy, 256, 0.9,
                   {"eager": 1.05, "compiled": 1.15})  # fmt: skip
    yield Workload("transformer 128, 2 layers, 64x16", "transformer", Transformer, sentences, entropy, 64, 0.1,
                   {"eager": 1.0, "compiled": 1.05})  # fmt: skip
