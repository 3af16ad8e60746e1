"""Lesson 4: two textbook forms of momentum, equal until the learning rate changes."""

from __future__ import annotations

import torch

import truestep as ts
from truestep.lessons.lesson import Measured

STEPS, CHANGE, A = 40, 20, 0.9
CURVATURES = torch.tensor([1.0, 0.1], dtype=torch.float64)


def measure() -> Measured:
    """Descend a bowl by both forms and by torch, at one learning rate and with a cut in the middle."""
    constant, cut = [0.1] * STEPS, [0.1] * CHANGE + [0.01] * (STEPS - CHANGE)
    inside, outside, torchs = ({name: way(rates) for name, rates in (("constant", constant), ("cut", cut))}
                               for way in (rate_inside, rate_outside, by_torch))  # fmt: skip
    equal = apart(inside["constant"], outside["constant"])
    differ = apart(inside["cut"], outside["cut"])
    mine = max(apart(torchs[name], outside[name]) for name in ("constant", "cut"))
    other = apart(torchs["cut"], inside["cut"])
    assert equal < 1e-14, "with one learning rate the two forms are the same"
    assert differ > 0.1, "once it changes they are not"
    assert mine == 0, "torch.optim.SGD is v = a v + g, w -= lr v, to the last bit"

    rows = [
        ("the two forms, constant lr", equal),
        ("the two forms, lr cut to a tenth", differ),
        ("torch.optim.SGD and v = a v + g, w -= lr v", mine),
        ("torch.optim.SGD and v = a v + lr g, w -= v", other),
    ]
    just = CHANGE + 1  # the first step after the cut
    moved = [abs(float(path[just][1] - path[CHANGE][1])) for path in (inside["cut"], outside["cut"])]
    numbers = {"equal": equal, "differ": differ, "other": other, "moved": moved, "ratio": moved[0] / moved[1]}
    assert numbers["ratio"] > 5, "one form coasts on at the old speed, the other brakes at once"
    steps = list(range(STEPS + 1))
    named = (("v = a v + lr g, w -= v", inside), ("v = a v + g, w -= lr v", outside), ("torch.optim.SGD", torchs))
    panels = [
        ts.plot.Panel(
            "step",
            "second weight (starts at 1)",
            [ts.plot.Curve(label, steps, [float(w[1]) for w in paths[name]]) for label, paths in named],
            title=title,
        )
        for name, title in (("constant", "lr 0.1 throughout"), ("cut", f"lr 0.01 from step {CHANGE} on"))
    ]
    return Measured(numbers, rows, panels, ".2e")


def rate_inside(rates: list[float]) -> list[torch.Tensor]:
    """V = a v + lr g; w -= v."""
    w, v = torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    path = [w]
    for lr in rates:
        v = A * v + lr * CURVATURES * w
        w = w - v
        path.append(w)
    return path


def rate_outside(rates: list[float]) -> list[torch.Tensor]:
    """V = a v + g; w -= lr v."""
    w, v = torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    path = [w]
    for lr in rates:
        v = A * v + CURVATURES * w
        w = torch.add(w, v, alpha=-lr)
        path.append(w)
    return path


def by_torch(rates: list[float]) -> list[torch.Tensor]:
    """torch.optim.SGD with momentum."""
    w = torch.ones(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=rates[0], momentum=A)
    path = [w.detach().clone()]
    for lr in rates:
        optimizer.param_groups[0]["lr"] = lr
        w.grad = CURVATURES * w.detach()
        optimizer.step()
        path.append(w.detach().clone())
    return path


def apart(one: list[torch.Tensor], other: list[torch.Tensor]) -> float:
    """The largest distance of two paths."""
    return max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))
