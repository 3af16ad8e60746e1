"""What is studied: a model, its data, and the settings and seeds of its variants, all with plain gradient descent."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import truestep as ts


@dataclass(frozen=True)
class Study:
    """Variants that differ in `varied` and in the seed of their start and batch order.

    `sampled` variants are trained one after another by the loops, whose time is scaled; `goal` is the ratio to the
    careful loop that is to be reached, `first_goal` that of the first run with its set-up.
    """

    name: str
    kind: str
    model: Callable[[], nn.Module]
    loss: nn.Module
    data: tuple[Tensor, Tensor]
    varied: Sequence[dict[str, float]]
    seeds: Sequence[int]
    fixed: dict[str, float]
    epochs: int
    batch_size: int
    goal: float
    first_goal: float = 1.0
    sampled: int = 10**9

    @property
    def points(self) -> list[dict[str, Any]]:
        """Settings of every variant, the seed among them, the variants of one seed side by side."""
        if len(self.varied) == len(self.seeds):  # a seed each
            return [{**point, "seed": seed} for point, seed in zip(self.varied, self.seeds, strict=True)]
        return [{**point, "seed": seed} for seed in self.seeds for point in self.varied]

    @property
    def steps(self) -> int:
        return self.epochs * math.ceil(len(self.data[0]) / self.batch_size)

    @property
    def shape(self) -> tuple[int, int]:
        """(batch orders, variants of each)."""
        return len(self.seeds), len(self.points) // len(self.seeds)

    def made(self, seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return self.model()

    def order(self, seed: int, epoch: int) -> Tensor:
        """The order of the samples, as `ts.fit` draws it."""
        return ts.data.batches.order(len(self.data[0]), seed, epoch)


def linear() -> nn.Module:
    return nn.Linear(200, 1)


def mlp() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def lenet() -> nn.Module:
    """LeNet for images of 8x8: convolutions of 3x3 that keep the size, two average poolings, three dense layers."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten()),
        *(nn.Linear(64, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def wide() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def lenet28() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def studies() -> list[Study]:
    small, _ = ts.data.digits(size=8)
    large, _ = ts.data.digits(size=28)
    regression, _ = ts.data.weight_decay()
    decays = [{"weight_decay": float(k)} for k in range(101)]
    square, entropy, lr = nn.MSELoss(), nn.CrossEntropyLoss(), {"lr": 0.003}

    def rates(count: int) -> list[dict[str, float]]:
        return [{"lr": 0.01 * 10 ** (k / count)} for k in range(count)]

    def first(count: int, data: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return data[0][:count], data[1][:count]

    few = first(768, large), rates(16), range(16), {}
    return [
        Study("101 decays", "linear", linear, square, regression, decays, [0], lr, 100, 5, 700, 60, 4),
        Study("2,020 decays, seeds", "linear", linear, square, regression, decays, range(20), lr, 100, 5, 600, 60, 4),
        Study("64 MLPs 64-64-10", "mlp", mlp, entropy, first(512, small), rates(64), range(64), {}, 3, 32, 5, 1, 8),
        Study("16 LeNets 8x8", "lenet", lenet, entropy, first(512, small), rates(16), range(16), {}, 3, 32, 4.5, 1, 4),
        Study("16 MLPs 784-256-10", "mlp", wide, entropy, *few, 2, 256, 0.97, 0.97, 4),
        Study("8 LeNets 28x28", "lenet", lenet28, entropy, few[0], rates(8), range(8), {}, 1, 256, 0.97, 0.97, 2),
    ]  # fmt: skip
