"""Data sorted by class in batches so large that each holds a few neighbouring classes."""

import runpy

import pytest

from truestep.check.rules import judge
from truestep.check.watch import Watching

SORTED = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(320, 16)
y = x[:, :10].argmax(1)
order = ORDER
x, y = x[order], y[order]
net = nn.Linear(16, 10)
opt = torch.optim.SGD(net.parameters(), 0.1)
for epoch in range(3):
    for rows, classes in zip(x.split(64), y.split(64)):
        opt.zero_grad()
        nn.functional.cross_entropy(net(rows), classes).backward()
        opt.step()
"""


@pytest.mark.parametrize("order, told", [("y.argsort()", 1), ("torch.arange(320)", 0), ("(y // 5).argsort()", 0)])
def test_batches_of_neighbouring_classes_are_sorted_data(tmp_path, order, told):
    path = tmp_path / "train.py"
    path.write_text(SORTED.replace("ORDER", order))
    with Watching(strict=True) as seen:
        seen.ended(runpy.run_path(str(path), run_name="__main__"))
    assert [each.name for each in judge(seen.trace, strict=True)].count("not_shuffled") == told
