"""Programs of a few lines that begin alike, and what the rules find in them."""

import runpy

import pytest

from truestep.check.rules import judge
from truestep.check.watch import Watching

START = """
import random
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, DistributedSampler, IterableDataset, Sampler, TensorDataset
torch.manual_seed(0)
x = torch.randn(96, 6)
y = (x[:, :3].sum(1) > 0).long()
net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 2))
opt = torch.optim.Adam(net.parameters(), 0.01)
def update(a, b):
    loss = nn.functional.cross_entropy(net(a), b)
    opt.zero_grad()
    loss.backward()
    opt.step()
def epochs(loader, times=4):
    for epoch in range(times):
        for a, b in loader:
            update(a, b)
"""


@pytest.fixture(name="found")
def found_by_rules(tmp_path, monkeypatch):
    """What the rules find in a program, without advice."""
    monkeypatch.chdir(tmp_path)

    def check(program):
        path = tmp_path / "train.py"
        path.write_text(START + program)
        with Watching(strict=True) as seen:
            seen.ended(runpy.run_path(str(path), run_name="__main__"))
        return {each.name for each in judge(seen.trace, strict=True) if each.level != "advice"}

    return check
