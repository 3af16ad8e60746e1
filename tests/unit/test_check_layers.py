"""Layers that are called one by one: what they hand on is no data, and moves while they learn."""

import runpy

import pytest

from truestep.check.rules import judge
from truestep.check.watch import Watching

START = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(96, 5)
y = x[:, :1].sin()
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(5, 8), nn.Linear(8, 1)
    def CALL(self, x):
        return self.last(torch.relu(self.first(x)))
net = Net()
with torch.no_grad():
    net.first.weight *= 40
    net.last.weight /= 40
opt = torch.optim.SGD([{"params": net.first.parameters(), "weight_decay": 2.0}, {"params": net.last.parameters()}], 0.1)
"""


@pytest.fixture
def found(tmp_path, monkeypatch):
    """The rules that name something in a program."""
    monkeypatch.chdir(tmp_path)

    def check(program):
        path = tmp_path / "train.py"
        path.write_text(program)
        with Watching(strict=True) as seen:
            seen.ended(runpy.run_path(str(path), run_name="__main__"))
        return {each.name for each in judge(seen.trace, strict=True)}

    return check


RUN = """
for epoch in range(10):
    for i in range(0, 64, 16):
        opt.zero_grad()
        nn.functional.mse_loss(net(x[i:i + 16]), y[i:i + 16]).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
with torch.no_grad():
    print(nn.functional.mse_loss(net(GIVEN), y[64:]).item())
"""


@pytest.mark.parametrize("call", ["__call__", "forward"])
def test_what_a_layer_hands_on_may_shrink(found, call):
    assert "preprocessing_differs" not in found((START + RUN).replace("CALL", call).replace("GIVEN", "x[64:]"))


def test_inputs_of_another_size_are_told(found):
    assert "preprocessing_differs" in found((START + RUN).replace("CALL", "forward").replace("GIVEN", "x[64:] * 50"))
