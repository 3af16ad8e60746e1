"""Problems made up on the spot, whose answers are known. Every draw is from a generator of its own."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from truestep.core.errors import ConfigError
from truestep.data.digits import Pair, Split

IGNORE = -100  # torch's own default `ignore_index`

CURVES = {
    "line": lambda x: 2 * x + 1,
    "parabola": lambda x: x.square(),
    "sine": lambda x: torch.sin(math.pi * x),
    "step": lambda x: (x > 0).to(x.dtype),
}


def linear(
    n: int,
    w: Sequence[float] | Tensor,
    b: float,
    noise: float = 0.01,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Pair:
    """A linear model with noise: y = X w + b + noise * e, with X (n, len(w)) and e standard normal, y (n, 1).

    Drawn and summed in float64 and then rounded to `dtype`, so that a seed means the same numbers in every type.
    Raises ConfigError for sizes below 1, w that is no vector of finite numbers, or a noise below 0.
    Convention: "Dive into Deep Learning", 3.3, where w = [2, -3.4], b = 4.2, noise = 0.01.
    """
    weights = torch.as_tensor(w, dtype=torch.float64, device="cpu").detach()
    if weights.ndim != 1 or weights.numel() == 0 or not weights.isfinite().all():
        raise ConfigError(f"w is of shape {tuple(weights.shape)}, and must be a vector of finite numbers: [2, -3.4]")
    if not dtype.is_floating_point:
        raise ConfigError(f"dtype is {dtype}, and noisy numbers need a floating type such as torch.float32")
    _check(n=n)
    generator = _generator(noise, seed)
    x = torch.randn(n, len(weights), generator=generator, dtype=torch.float64)
    y = x @ weights + b + noise * torch.randn(n, generator=generator, dtype=torch.float64)
    return x.to(dtype), y.unsqueeze(1).to(dtype)


def weight_decay(train: int = 20, test: int = 100, inputs: int = 200, seed: int = 0) -> Split:
    """The problem that overfits without weight decay, having more inputs than samples.

    y = 0.05 + sum_i 0.01 x_i + 0.01 e, with x and e standard normal: float32 inputs (N, inputs), targets (N, 1).
    Raises ConfigError for sizes below 1.
    Convention: "Dive into Deep Learning", 3.7.
    """
    _check(train=train, test=test, inputs=inputs)
    x, y = linear(train + test, [0.01] * inputs, 0.05, noise=0.01, seed=seed)
    return Split((x[:train], y[:train]), (x[train:], y[train:]), name="weight-decay")


def curve(kind: str = "sine", n: int = 100, noise: float = 0.1, seed: int = 0) -> Pair:
    """A toy curve with noise: x (n, 1) evenly over [-1, 1], y (n, 1) = f(x) + noise * e, float32.

    f is "line" (2x + 1), "parabola" (x^2), "sine" (sin pi x) or "step" (1 where x > 0).
    Raises ConfigError for another kind, n below 1, or a noise below 0.
    """
    if kind not in CURVES:
        raise ConfigError(f"there is no curve {kind!r}; the kinds are {', '.join(CURVES)}")
    _check(n=n)
    x = torch.linspace(-1, 1, n).unsqueeze(1)
    return x, CURVES[kind](x) + noise * torch.randn(n, 1, generator=_generator(noise, seed))


def blobs(n: int = 300, classes: int = 3, inputs: int = 2, spread: float = 0.5, seed: int = 0) -> Pair:
    """Round clouds, one a class: x (n, inputs) float32, labels (n,) int64 in 0..classes-1, as even as n allows.

    The centres stand on a circle of the first two inputs, two units from neighbour to neighbour; `spread` is each
    cloud's standard deviation. Raises ConfigError for sizes below 1, fewer than 2 inputs, or a spread below 0.
    """
    _check(n=n, classes=classes, inputs=inputs)
    if inputs < 2:
        raise ConfigError("inputs is 1, and a circle of centres needs 2 or more")
    generator = _generator(spread, seed, "spread")
    labels = torch.randperm(n, generator=generator) % classes
    angle = 2 * math.pi * labels / classes
    radius = 1 / math.sin(math.pi / classes) if classes > 1 else 0.0
    x = spread * torch.randn(n, inputs, generator=generator)
    x[:, 0] += radius * angle.cos()
    x[:, 1] += radius * angle.sin()
    return x, labels


def two_moons(n: int = 200, noise: float = 0.1, seed: int = 0) -> Pair:
    """Two half circles that reach into each other: x (n, 2) float32, labels (n,) int64, 0 above and 1 below.

    Raises ConfigError for n below 1 or a noise below 0.
    """
    _check(n=n)
    generator = _generator(noise, seed)
    labels = torch.randperm(n, generator=generator) % 2
    angle = math.pi * torch.rand(n, generator=generator)
    side = 1 - 2.0 * labels
    x = torch.stack([labels + side * angle.cos(), 0.5 * labels + side * angle.sin()], dim=1)
    return x + noise * torch.randn(n, 2, generator=generator), labels


def sequences(
    n: int = 64, length: int = 16, vocabulary: int = 32, pad: int = 0, seed: int = 0, shortest: int = 1
) -> Pair:
    """Ragged token sequences for next-token prediction: inputs and targets, both (n, length) int64.

    Each sequence has between `shortest` and `length` tokens, drawn evenly; inputs are padded with `pad`, which is never
    a token, and targets with -100 (torch's `ignore_index`), so `(targets != -100).sum()` counts the tokens. The next
    token is the following one of the vocabulary nine times in ten, and any one otherwise. `shortest=0` allows rows that
    are ignored altogether.

    Raises ConfigError for sizes below 1, a `pad` outside the vocabulary, or `shortest` outside 0..length.
    """
    _check(n=n, length=length)
    if vocabulary < 2 or not 0 <= pad < vocabulary:
        raise ConfigError(
            f"pad is {pad} and vocabulary {vocabulary}: give a vocabulary of 2 or more, and pad one of it"
        )
    if not 0 <= shortest <= length:
        raise ConfigError(f"shortest is {shortest}, and sequences are between 0 and length = {length} tokens long")
    generator = torch.Generator().manual_seed(seed)
    tokens = vocabulary - 1
    steps = torch.randint(tokens, (n, length + 1), generator=generator)
    steps[:, 1:][torch.rand(n, length, generator=generator) < 0.9] = 1
    walk = steps.cumsum(1) % tokens
    walk += walk >= pad  # the pad's number is left out
    lengths = torch.randint(shortest, length + 1, (n, 1), generator=generator)
    ignored = torch.arange(length) >= lengths
    return walk[:, :-1].masked_fill(ignored, pad), walk[:, 1:].masked_fill(ignored, IGNORE)


def _generator(noise: float, seed: int, name: str = "noise") -> torch.Generator:
    """A generator of its own: the caller's random state stays as it was."""
    if not 0 <= noise < math.inf:
        raise ConfigError(f"{name} is {noise}, and a standard deviation is a finite number, 0 or more")
    return torch.Generator().manual_seed(seed)


def _check(**sizes: int) -> None:
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ConfigError(f"{name} is {size!r}, and must be a whole number of 1 or more")
