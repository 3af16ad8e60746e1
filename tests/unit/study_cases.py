"""Studies for the tests, small enough to be trained anew by each."""

from functools import cache

import torch
from torch import nn

import truestep as ts


def data(seed=0):
    """40 samples of 3 inputs, to train and to validate."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(40, 3, generator=generator), torch.randn(40, 1, generator=generator)


@cache
def study(**changed):
    """A study of 3 learning rates with 4 seeds; `changed` are arguments of `ts.sweep`, a grid as pairs."""
    grid = dict(changed.pop("grid", (("lr", (0.1, 0.001, 0.01)),)))
    usual = {"seeds": 4, "epochs": 3, "batch_size": 10, "validate": data(1), "progress": False}
    fixed = dict(changed.pop("fixed", ()))
    model = changed.pop("model", lambda: nn.Linear(3, 1))
    settings = {**usual, **changed, "grid": grid, "fixed": fixed}
    return ts.sweep(model, data(), nn.MSELoss(), torch.optim.SGD, **settings)


TWO = (("lr", (0.001, 0.01, 1e4)), ("momentum", (0.0, 0.9)))
DIVERGING = (("lr", (0.01, 0.1, 1e4)),)
