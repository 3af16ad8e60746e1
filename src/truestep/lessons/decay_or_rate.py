"""Lesson 26: decay moves the end point, the learning rate changes only the way there."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.lessons.lesson import Measured

STEPS, LR, STRENGTH = 300, 0.3, 0.2
TRUE = torch.tensor([[2.0], [-3.4]], dtype=torch.float64)


def measure() -> Measured:
    """Descend a long bowl with two rates, with decay, and stop one path early."""
    x = torch.randn(200, 2, dtype=torch.float64) * torch.tensor([1.0, 0.3])  # the second input says less
    y = x @ TRUE + 0.5 * torch.randn(200, 1, dtype=torch.float64)
    best, ridge = solved(x, y, 0.0), solved(x, y, STRENGTH)
    fast, slow, decayed = path(x, y, LR, 0.0), path(x, y, LR / 10, 0.0), path(x, y, LR, STRENGTH)
    long = path(x, y, LR / 10, 0.0, 10 * STEPS)
    assert apart(fast[-1], best) < 1e-6
    assert apart(long[-1], best) < 1e-6, "a tenth of the rate and ten times the steps: the same end"
    assert apart(decayed[-1], ridge) < 1e-6, "decay ends at the ridge solution"
    assert apart(ridge, best) > 0.5
    distances = [apart(w, ridge) for w in fast]
    stop = distances.index(min(distances))
    assert 0 < stop < STEPS, "a path that is stopped early comes near it"
    named = {
        f"lr {LR}": fast,
        f"lr {LR / 10:g}": slow,
        f"lr {LR}, weight_decay {STRENGTH}": decayed,
    }
    ended = {name: (STEPS, p[-1]) for name, p in named.items()}
    ended[f"lr {LR / 10:g}, ten times as long"] = 10 * STEPS, long[-1]
    ended[f"lr {LR}, stopped early"] = stop, fast[stop]
    rows = [(name, steps, *w.flatten().tolist(), loss(x, y, w)) for name, (steps, w) in ended.items()]
    curves = [ts.plot.Curve(name, *zip(*(w.flatten().tolist() for w in p), strict=True)) for name, p in named.items()]
    curves.append(ts.plot.Curve("least loss", [float(best[0])], [float(best[1])]))
    curves.append(ts.plot.Curve("least loss with decay", [float(ridge[0])], [float(ridge[1])]))
    numbers = {"best": best.flatten().tolist(), "ridge": ridge.flatten().tolist(), "stop": stop}
    numbers |= {"near": min(distances), "away": apart(ridge, best)}
    return Measured(numbers, rows, [ts.plot.Panel("first weight", "second weight", curves)])


def path(x: Tensor, y: Tensor, lr: float, strength: float, steps: int = STEPS) -> list[Tensor]:
    """The weights before and after each step."""
    w = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr, weight_decay=strength)
    found = [w.detach().clone()]
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.mse_loss(x @ w, y).backward()
        optimizer.step()
        found.append(w.detach().clone())
    return found


def solved(x: Tensor, y: Tensor, strength: float) -> Tensor:
    """Where the gradient of mean squared error + strength / 2 ||w||² is zero."""
    return torch.linalg.solve(2 * x.T @ x / len(x) + strength * torch.eye(2), 2 * x.T @ y / len(x))


def loss(x: Tensor, y: Tensor, w: Tensor) -> float:
    """The mean squared error."""
    return nn.functional.mse_loss(x @ w, y).item()


def apart(one: Tensor, other: Tensor) -> float:
    """The distance of two points."""
    return float((one - other).norm())
