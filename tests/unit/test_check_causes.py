"""Two findings for one mistake: the cause is named, and what follows from it is left out or a word of advice."""

import runpy

import pytest

from truestep.check.finding import Finding, Rule, merged
from truestep.check.rules import judge
from truestep.check.site import Site
from truestep.check.watch import Watching

START = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(200, 6)
y = x[:, :1].sin()
"""


@pytest.fixture
def levels(tmp_path, monkeypatch):
    """What the rules find in a program: name -> level."""
    monkeypatch.chdir(tmp_path)

    def check(program):
        path = tmp_path / "train.py"
        path.write_text(START + program)
        with Watching(strict=True) as seen:
            seen.ended(runpy.run_path(str(path), run_name="__main__"))
        return {each.name: each.level for each in judge(seen.trace, strict=True)}

    return check


LIST = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(6, 8), nn.Linear(8, 8)]
        self.spare, self.head = nn.Linear(8, 8), nn.Linear(8, 1)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).relu()
        return self.head(self.spare(x))


net = Net()
opt = torch.optim.SGD(OPTIMIZED, lr=0.05)
for _ in range(12):
    loss = nn.functional.mse_loss(net(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


@pytest.mark.parametrize(
    "optimized, expected",
    [
        ("net.parameters()", {"hidden_in_list": "error"}),
        ("net.head.parameters()", {"hidden_in_list": "error", "parameters_unheld": "error"}),  # another layer as well
    ],
)
def test_what_the_cause_tells_of_the_same_parameters_is_left_out(levels, optimized, expected):
    assert levels(LIST.replace("OPTIMIZED", optimized)) == expected


GROWING = """
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
opt = torch.optim.SGD(net.parameters(), lr=RATE)
for _ in range(200):
    loss = nn.functional.mse_loss(net(x), y)
    CLEAR
    loss.backward()
    opt.step()
"""


def test_weights_blown_up_by_gradients_that_add_up_are_a_word_of_advice(levels):
    found = levels(GROWING.replace("RATE", "0.5").replace("CLEAR", ""))
    assert found["never_cleared"] == "error"
    assert {name: level for name, level in found.items() if level != "advice"} == {"never_cleared": "error"}


def test_weights_blown_up_by_the_rate_alone_are_an_error(levels):
    found = levels(GROWING.replace("RATE", "30").replace("CLEAR", "opt.zero_grad()"))
    assert found["rate_too_large"] == "error"


def test_of_findings_on_one_line_the_most_serious_is_told():
    rule, place = Rule("TS470", "samples_unseen", "samples that are in no batch", "error", "data"), Site("train.py", 3)
    mild, grave = (Finding(rule, level, place, level, "", "", "") for level in ("advice", "warning"))
    (told,) = merged([mild, grave, mild])
    assert (told.level, told.message, told.count) == ("warning", "warning", 3)


FALLING = """
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
schedule = torch.optim.lr_scheduler.ExponentialLR(opt, FACTOR)
for epoch in range(10):
    for part in torch.utils.data.DataLoader(torch.arange(200), batch_size=20, shuffle=True):
        loss = nn.functional.mse_loss(net(x[part]), y[part])
        opt.zero_grad()
        loss.backward()
        opt.step()
        BATCH
    EPOCH
"""


def test_a_rate_that_is_gone_by_a_schedule_of_epochs_stepped_by_batches_is_told_once(levels):
    found = levels(FALLING.replace("FACTOR", "0.7").replace("BATCH", "schedule.step()").replace("EPOCH", ""))
    assert found == {"schedule_by_batch": "error"}


def test_a_rate_that_is_gone_for_another_reason_is_still_told(levels):
    found = levels(FALLING.replace("FACTOR", "0.02").replace("BATCH", "").replace("EPOCH", "schedule.step()"))
    assert found == {"rate_too_small": "warning"}
