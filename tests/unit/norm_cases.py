"""Models whose gradient norms by sample follow from one pass by formula, and models where they do not."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import truestep as ts
from truestep.explain.samples import Samples, sample_records

Make = Callable[[], tuple[nn.Module, Tensor]]


def built(make: Make) -> tuple[nn.Module, Tensor]:
    """The model and five samples for it, in float64."""
    model, x = make()
    return model.double(), x.double() if x.is_floating_point() else x


class Calls(nn.Module):
    """Layers beside a function of them and the input."""

    def __init__(self, function: Callable[..., Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.layers)


def tied(first: nn.Module, second: nn.Module) -> nn.Module:
    second.weight = first.weight
    return second


def moved(norm: nn.Module) -> nn.Module:
    """A normalisation layer whose scale, shift and statistics are not those that it starts with."""
    for tensor in [*norm.parameters(), *norm.buffers()]:
        if tensor.is_floating_point():
            nn.init.uniform_(tensor, 0.5, 2.0)
    return norm


def images(channels: int, *space: int) -> Tensor:
    return torch.randn(5, channels, *space, dtype=torch.float64)


def tokens(*shape: int) -> Tensor:
    return torch.randint(6, shape)


BATCHED: dict[str, Make] = {
    "linear": lambda: (nn.Linear(3, 4), torch.randn(5, 3)),
    "without a bias": lambda: (
        nn.Sequential(nn.Linear(3, 4, bias=False), nn.Tanh(), nn.Linear(4, 2)),
        torch.randn(5, 3),
    ),
    "long sequence": lambda: (nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 2)), torch.randn(5, 9, 3)),
    "short sequence of wide": lambda: (nn.Sequential(nn.Linear(30, 20), nn.Tanh()), torch.randn(5, 2, 30)),
    "four dimensions": lambda: (nn.Linear(3, 4), torch.randn(5, 2, 3, 3)),
    "flattened rows": lambda: (
        Calls(
            lambda x, one, two: two(one(x.flatten(0, 1)).tanh()).unflatten(0, x.shape[:2]),
            nn.Linear(3, 4),
            nn.Linear(4, 2),
        ),
        torch.randn(5, 4, 3),
    ),
    "images of a film": lambda: (
        Calls(lambda x, conv: conv(x.flatten(0, 1)).unflatten(0, x.shape[:2]), nn.Conv2d(4, 6, 2, groups=2)),
        torch.randn(5, 3, 4, 4, 4),
    ),
    "conv1d": lambda: (nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2), images(4, 11)),
    "conv2d": lambda: (nn.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(0, 1)), images(2, 7, 5)),
    "conv2d of one group a channel": lambda: (nn.Conv2d(3, 6, 3, padding=1, groups=3), images(3, 5, 5)),
    "conv2d as wide as its input": lambda: (nn.Conv2d(6, 8, 4), images(6, 5, 4)),
    "conv2d same": lambda: (nn.Conv2d(2, 3, (5, 3), padding="same", dilation=(1, 2)), images(2, 6, 7)),
    "conv2d valid": lambda: (nn.Conv2d(2, 3, 3, padding="valid", bias=False), images(2, 5, 6)),
    "conv2d circular": lambda: (nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode="circular"), images(2, 5, 6)),
    "conv2d reflected": lambda: (nn.Conv2d(2, 3, (4, 3), padding="same", padding_mode="reflect"), images(2, 5, 6)),
    "conv3d": lambda: (nn.Conv3d(2, 4, (1, 2, 3), stride=(1, 2, 1), padding=1, groups=2), images(2, 3, 4, 5)),
    "batch norm that is frozen": lambda: (
        nn.Sequential(nn.Conv2d(2, 3, 2), moved(nn.BatchNorm2d(3))).eval(),
        images(2, 4, 4),
    ),
    "group norm": lambda: (nn.Sequential(nn.Conv2d(2, 4, 2), moved(nn.GroupNorm(2, 4))), images(2, 4, 4)),
    "instance norm": lambda: (
        nn.Sequential(nn.Conv2d(2, 4, 2), moved(nn.InstanceNorm2d(4, affine=True))),
        images(2, 4, 4),
    ),
    "instance norm that is frozen": lambda: (
        moved(nn.InstanceNorm1d(4, affine=True, track_running_stats=True)).eval(),
        images(4, 5),
    ),
    "layer norm": lambda: (nn.Sequential(nn.Linear(3, 4), moved(nn.LayerNorm(4))), torch.randn(5, 3, 3)),
    "layer norm over two": lambda: (moved(nn.LayerNorm((2, 3))), torch.randn(5, 4, 2, 3)),
    "layer norm without a bias": lambda: (moved(nn.LayerNorm(3, bias=False)), torch.randn(5, 3)),
    "rms norm": lambda: (nn.Sequential(nn.Linear(3, 4), moved(nn.RMSNorm(4))), torch.randn(5, 3)),
    "embedding": lambda: (nn.Embedding(6, 3), tokens(5, 7)),
    "embedding of one token": lambda: (nn.Sequential(nn.Embedding(6, 3), nn.Linear(3, 2)), tokens(5)),
    "embedding with padding": lambda: (nn.Sequential(nn.Embedding(6, 3, padding_idx=2), nn.LayerNorm(3)), tokens(5, 7)),
    "embedding that is sparse": lambda: (nn.Embedding(6, 3, sparse=True), tokens(5, 7)),
    "embedding of bounded rows": lambda: (nn.Embedding(6, 3, max_norm=0.5), tokens(5, 7)),
    "a residual block": lambda: (
        Calls(
            lambda x, one, norm, two: x + two(norm(one(x)).relu()),
            nn.Conv2d(2, 4, 3, padding=1),
            moved(nn.GroupNorm(2, 4)),
            nn.Conv2d(4, 2, 1),
        ),
        images(2, 4, 4),
    ),
    "a layer called twice": lambda: (Calls(lambda x, one: one(one(x).tanh()), nn.Linear(3, 3)), torch.randn(5, 3)),
    "a convolution called twice": lambda: (
        Calls(lambda x, one: one(one(x).tanh()), nn.Conv2d(2, 2, 3, padding=1)),
        images(2, 4, 4),
    ),
    "a norm called twice": lambda: (Calls(lambda x, one: one(one(x).exp()), moved(nn.LayerNorm(3))), torch.randn(5, 3)),
    "a table read twice": lambda: (Calls(lambda x, one: one(x) * one((x + 1) % 6), nn.Embedding(6, 3)), tokens(5, 4)),
    "two layers that share a weight": lambda: (
        (lambda one: nn.Sequential(one, nn.Tanh(), tied(one, nn.Linear(3, 3))))(nn.Linear(3, 3)),
        torch.randn(5, 2, 3),
    ),
    "in place": lambda: (nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2)), torch.randn(5, 3)),
    "a branch that leads nowhere": lambda: (
        Calls(lambda x, one, two: (two(x), one(x))[1], nn.Linear(3, 2), nn.Linear(3, 2)),
        torch.randn(5, 3),
    ),
    "a checkpoint": lambda: (
        Calls(
            lambda x, one, two: two(checkpoint(lambda z: one(z).tanh(), x, use_reentrant=False)),
            nn.Linear(3, 4),
            nn.Linear(4, 2),
        ),
        torch.randn(5, 3),
    ),
    "a keyword": lambda: (Calls(lambda x, one: one(input=x), nn.Linear(3, 2)), torch.randn(5, 3)),
}


class Doubled(torch.autograd.Function):
    """2 x, written in the old style that vmap cannot follow."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 2 * gradient


class Shifted(nn.Module):
    """A parameter of its own, which no layer holds."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.randn(3))
        self.layer = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x + self.shift)


def by_place(x: Tensor, table: nn.Module, layer: nn.Module) -> Tensor:
    return layer(x + table(torch.arange(x.shape[1])))


def sorted_rows(x: Tensor, one: nn.Module) -> Tensor:
    order = x[:, 0].argsort()
    return one(x[order])[order.argsort()]


MIXED = "the batch is not the first dimension"

ALONE: dict[str, tuple[Make, str, str]] = {
    "a parameter of its own": (lambda: (Shifted(), torch.randn(5, 3)), "vmap", "shift acted outside of the layers"),
    "a weight used by a function": (
        lambda: (Calls(lambda x, one: F.linear(one(x), one.weight), nn.Linear(3, 3)), torch.randn(5, 3)),
        "vmap",
        "layers.0.weight acted outside",
    ),
    "a table tied to a layer": (
        lambda: ((lambda one: nn.Sequential(one, tied(one, nn.Linear(3, 6))))(nn.Embedding(6, 3)), tokens(5, 4)),
        "vmap",
        "layers of different kinds share a weight",
    ),
    "time before the batch": (
        lambda: (Calls(lambda x, one: one(x.transpose(0, 1)).transpose(0, 1), nn.Linear(3, 2)), torch.randn(5, 5, 3)),
        "vmap",
        MIXED,
    ),
    "time before the batch, flattened": (
        lambda: (
            Calls(
                lambda x, one: one(x.transpose(0, 1).flatten(0, 1)).unflatten(0, x.shape[1::-1]).transpose(0, 1),
                nn.Linear(3, 2),
            ),
            torch.randn(5, 4, 3),
        ),
        "vmap",
        MIXED,
    ),
    "places as many as samples": (
        lambda: (Calls(by_place, nn.Embedding(5, 3), nn.Linear(3, 2)), torch.randn(5, 5, 3)),
        "vmap",
        MIXED,
    ),
    "places": (
        lambda: (Calls(by_place, nn.Embedding(7, 3), nn.Linear(3, 2)), torch.randn(5, 7, 3)),
        "vmap",
        "layers.0.weight acted outside",
    ),
    "rows out of order": (
        lambda: (Calls(sorted_rows, nn.Linear(3, 2)), torch.randn(5, 3)),
        "vmap",
        MIXED,
    ),
    "an unknown layer": (
        lambda: (nn.Sequential(nn.Linear(3, 4), nn.PReLU()), torch.randn(5, 3)),
        "vmap",
        "1.weight acted",
    ),
    "attention": (
        lambda: (nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True), torch.randn(5, 3, 4)),
        "vmap",
        "self_attn.in_proj_bias",
    ),
    "a parametrized layer": (
        lambda: (nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), nn.Tanh()), torch.randn(5, 3)),
        "vmap",
        "acted outside",
    ),
    "a view that is overwritten": (
        lambda: (nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2)), torch.randn(5, 2, 3)),
        "vmap",
        "0.bias, 0.weight acted outside",
    ),
    "a layer within vmap": (
        lambda: (Calls(lambda x, one: torch.func.vmap(one)(x), nn.Linear(3, 2)), torch.randn(5, 4, 3)),
        "vmap",
        "acted outside",
    ),
    "a branch on values": (
        lambda: (
            Calls(lambda x, one, two: one(x) if x.sum() > 1e9 else two(one(x)) * 1.0, nn.Linear(3, 3), nn.PReLU()),
            torch.randn(5, 3),
        ),
        "loop",
        "one after another",
    ),
    "an old-style function": (
        lambda: (Calls(lambda x, one: Doubled.apply(one(x)), nn.PReLU()), torch.randn(5, 3)),
        "loop",
        "one after another",
    ),
    "rows divided by their frequency": (
        lambda: (nn.Embedding(6, 3, scale_grad_by_freq=True), tokens(5, 7)),
        "vmap",
        "weight acted outside",
    ),
    "a recurrent network": (
        lambda: (Calls(lambda x, one: one(x)[0], nn.LSTM(3, 4, batch_first=True)), torch.randn(5, 4, 3)),
        "loop",
        "weight_hh_l0",
    ),
}


SQUARES = ts.Objective(nn.MSELoss(reduction="sum"))
SUM = {"MSELoss": 1.0}


def counts_of(objective: ts.Objective, output: Any, target: Any) -> dict[str, float]:
    return {name: float(part.count) for name, part in objective.parts(output, target).items()}


def recorded(
    model: Any, objective: ts.Objective, x: Any, y: Any, parameters: Sequence[Tensor] | None = None
) -> Samples:
    counts = counts_of(objective, model(**x) if isinstance(x, dict) else model(x), y)
    return sample_records(
        model, objective, x, y, list(model.parameters()) if parameters is None else parameters, counts
    )


def squared(output: Tensor, target: Tensor) -> Tensor:
    return (output - target).square().sum()


def contribution(objective: ts.Objective, counts: dict[str, float]) -> Callable[[Any, Any], Tensor]:
    def value(output: Any, target: Any) -> Tensor:
        parts = objective.parts(output, target)
        return sum((w * parts[name].total / counts[name] for name, w in objective.weights.items()), torch.tensor(0.0))

    return value
