"""Lesson 27: the penalty is minus the logarithm of a prior; and where an optimizer applies it."""

from __future__ import annotations

import torch
from torch import Tensor, distributions

import truestep as ts
from truestep.lessons.lesson import Measured

NOISE, WIDTH = 0.5, 0.3  # standard deviations of the noise and of the Gaussian prior
GRID = [-0.5 + 0.01 * i for i in range(201)]


def measure() -> Measured:
    """Find the posterior mode on a grid and by ridge regression, and decay coupled and decoupled."""
    x, y = (part.flatten() for part in ts.data.linear(20, [1.0], 0.0, NOISE, dtype=torch.float64))
    ridge = float((x @ y) / (x @ x + NOISE**2 / WIDTH**2))
    zero, width = torch.tensor([0.0, WIDTH], dtype=torch.float64)
    gauss, laplace = distributions.Normal(zero, width), distributions.Laplace(zero, width)
    posterior = {"Gaussian": [minus_log(x, y, w, gauss) for w in GRID]}
    posterior["Laplace"] = [minus_log(x, y, w, laplace) for w in GRID]
    penal = {"Gaussian": [squared(x, y, w) + w**2 / (2 * WIDTH**2) for w in GRID]}
    penal["Laplace"] = [squared(x, y, w) + abs(w) / WIDTH for w in GRID]
    spread = {}
    for name, values in posterior.items():
        differences = [one - other for one, other in zip(values, penal[name], strict=True)]
        spread[name] = max(differences) - min(differences)
        assert spread[name] < 1e-12, "minus the log of the posterior is squared loss plus penalty, up to a constant"
    modes = {name: GRID[values.index(min(values))] for name, values in posterior.items()}
    assert abs(modes["Gaussian"] - ridge) < 0.0051, "the ridge solution is the mode, as near as the grid tells"
    none = float((x @ y) / (x @ x))

    shrunk = {name: shrinkage(rule) for name, rule in RULES.items()}
    assert max(abs(s - DECAYED) for s in shrunk["SGD, coupled"]) < 1e-12
    assert max(abs(s - DECAYED) for s in shrunk["AdamW, decoupled"]) < 1e-12
    small, large = shrunk["Adam, coupled"]
    assert small > 50 * large, "coupled decay in Adam hardly touches weights with large gradients"
    rows = [("least squares, no prior", none, "-", "-"), ("Gaussian prior, L2", modes["Gaussian"], "-", "-")]
    rows += [("Laplace prior, L1", modes["Laplace"], "-", "-"), ("ridge by formula", ridge, "-", "-")]
    rows += [(name, "-", *values) for name, values in shrunk.items()]
    curves = [ts.plot.Curve(f"-log posterior, {name}", GRID, lifted(values)) for name, values in posterior.items()]
    curves += [ts.plot.Curve(f"loss + penalty, {name}", GRID, lifted(values)) for name, values in penal.items()]
    bars = [
        ts.plot.Bars(f"gradient {size:g}", {name: 100 * values[place] for name, values in shrunk.items()})
        for place, size in enumerate(GRADIENTS)
    ]
    panels = [
        ts.plot.Panel("weight", "above its minimum (nats)", curves),
        ts.plot.Panel("weight taken by decay in a step (%)", "optimizer", bars=bars),
    ]
    numbers = {"none": none, "ridge": ridge, "mode": modes, "small": small, "large": large, "decayed": DECAYED}
    return Measured(numbers | {"spread": max(spread.values())}, rows, panels, ("", ".4f", ".4%", ".4%"))


RULES = {"SGD, coupled": torch.optim.SGD, "Adam, coupled": torch.optim.Adam, "AdamW, decoupled": torch.optim.AdamW}
LR, STRENGTH, GRADIENTS = 0.1, 0.01, (0.01, 10.0)
DECAYED = LR * STRENGTH


def squared(x: Tensor, y: Tensor, w: float) -> float:
    """The sum of squared errors, in units of the noise."""
    return float(((x * w - y) ** 2).sum()) / (2 * NOISE**2)


def minus_log(x: Tensor, y: Tensor, w: float, prior: distributions.Distribution) -> float:
    """-log P(w | data), but for P(data)."""
    likelihood = distributions.Normal(x * w, torch.full_like(x, NOISE)).log_prob(y).sum()
    return -float(likelihood + prior.log_prob(torch.tensor(w, dtype=torch.float64)))


def shrinkage(rule: type[torch.optim.Optimizer]) -> tuple[float, float]:
    """The share of a weight 1 that decay takes in one step, for a small and for a large gradient."""
    taken = []
    for size in GRADIENTS:
        ends = []
        for strength in (0.0, STRENGTH):
            w = torch.ones(1, dtype=torch.float64, requires_grad=True)
            optimizer = rule([w], lr=LR, weight_decay=strength)  # type: ignore[call-arg]
            for gradient in (size, -size):  # as noise has it: Adam's mean is near zero, its square is not
                w.data.fill_(1.0)
                w.grad = torch.full_like(w, gradient)
                optimizer.step()
            ends.append(w.item())
        taken.append(ends[0] - ends[1])
    return taken[0], taken[1]


def lifted(values: list[float]) -> list[float]:
    """Above their least."""
    return [value - min(values) for value in values]
