"""Lesson 18: what reduction="none" returns, what "None" does, and why backward needs one number."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.lessons.lesson import Measured

X, Y = ts.data.linear(5, [2.0, -3.4], 4.2, dtype=torch.float64)


def measure() -> Measured:
    """Try the typo, look at the shape of "none", and differentiate it with four different seeds."""
    w = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
    typo = said(lambda: nn.MSELoss(reduction="None")(X @ w, Y))
    assert "None is not a valid value for reduction" in typo, "the error comes when it is called, not when it is made"
    elements = nn.MSELoss(reduction="none")(X @ w, Y)
    assert elements.shape == (5, 1), "one element a number of the output"
    scalar = said(lambda: nn.MSELoss(reduction="none")(X @ w, Y).backward())
    assert scalar == "grad can be implicitly created only for scalar outputs"

    ones, n = torch.ones_like(elements), len(X)
    first = torch.zeros_like(elements)
    first[0] = 1
    seeds = {"ones: the sum": ones, "1/n each: the mean": ones / n, "1, 0, 0, 0, 0: the first sample": first}
    slopes = {name: slope(w, seed) for name, seed in seeds.items()}
    total, mean, alone = slopes.values()
    for seeded, reduced in ((total, elements.sum()), (mean, elements.mean()), (alone, elements[0].sum())):
        (wanted,) = torch.autograd.grad(reduced, w, retain_graph=True)
        assert torch.allclose(seeded, wanted, rtol=1e-13), "each seed is a reduction"
    rows = [(name, *found.flatten().tolist()) for name, found in slopes.items()]
    bars = [ts.plot.Bars(f"by w{i + 1}", {name: float(s[i]) for name, s in slopes.items()}) for i in range(2)]
    panel = ts.plot.Panel("gradient", "seed given to backward", bars=bars)
    return Measured({"typo": typo, "scalar": scalar, "shape": tuple(elements.shape), "n": n}, rows, [panel])


def said(program: Callable[[], object]) -> str:
    """The error of a program."""
    try:
        program()
    except (RuntimeError, ValueError) as error:
        return str(error)
    return ""


def slope(w: Tensor, seed: Tensor) -> Tensor:
    """The gradient of the elements, each weighted by the seed."""
    (found,) = torch.autograd.grad(nn.MSELoss(reduction="none")(X @ w, Y), w, grad_outputs=seed)
    return found
