"""A run that was broken off says nothing about what was still to come: by `--steps`, by Ctrl-C or by an error."""

import contextlib

import pytest

from truestep.check.rules import judge
from truestep.check.watch import Watching
from truestep.cli.script import Program, start

START = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
x = torch.randn(120, 5)
y = (x.sum(1) > 0).long()
net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2))
opt = torch.optim.SGD(net.parameters(), 0.1)
done = 0
def update(a, b):
    global done
    opt.zero_grad()
    nn.functional.cross_entropy(net(a), b).backward()
    opt.step()
    done += 1
    if done == 6:
        BREAK
"""
BREAKS = {
    "steps": "pass",
    "interrupt": "raise KeyboardInterrupt",
    "error": "raise ValueError('the disk is full')",
}
"""How a run ends after its sixth update; `steps` is the number that was asked for."""


@pytest.fixture
def found(tmp_path, monkeypatch):
    """The rules that name something in a program, broken off in this way; by none of them where it is empty."""
    monkeypatch.chdir(tmp_path)

    def check(program, way=""):
        path = tmp_path / "train.py"
        path.write_text(START.replace("BREAK", BREAKS.get(way, "pass")) + program)
        with contextlib.suppress(KeyboardInterrupt), Watching(6 if way == "steps" else None, strict=True) as seen:
            start(Program(str(path)), seen.ended)
        return {each.name for each in judge(seen.trace, strict=True) if each.level != "advice"}

    return check


STEPPED = """
schedule = torch.optim.lr_scheduler.StepLR(opt, 1, 0.5)
for epoch in range(2):
    for a, b in DataLoader(TensorDataset(x, y), ROWS, shuffle=True):
        update(a, b)
    STEP
"""


@pytest.mark.parametrize("way", BREAKS)
def test_a_scheduler_may_be_stepped_when_the_epoch_ends(found, way):
    assert found(STEPPED.replace("ROWS", "12").replace("STEP", "schedule.step()"), way) == set()


@pytest.mark.parametrize("way", BREAKS)
def test_a_scheduler_that_outlasts_two_epochs_is_never_stepped(found, way):
    program = STEPPED.replace("range(2)", "range(4)").replace("ROWS", "60").replace("STEP", "pass")
    assert found(program, way) == {"schedule_never"}


def test_a_pass_that_trains_nothing_ends_no_epoch(found):
    program = """
valid = DataLoader(TensorDataset(torch.randn(12, 5), torch.arange(12) % 2), 6)
schedule = torch.optim.lr_scheduler.StepLR(opt, 1, 0.5)
losses = []
for a, b in DataLoader(TensorDataset(x, y), 12, shuffle=True):
    update(a, b)
    with torch.no_grad():
        losses += [nn.functional.cross_entropy(net(c), d).item() for c, d in valid]
schedule.step()
"""
    assert found(program, "steps") == set()


HELD_OUT = """
train = DataLoader(TensorDataset(x[:100], y[:100]), 10, shuffle=True)
test = DataLoader(TensorDataset(x[100:], y[100:]), 10)
def accuracy(loader):
    with torch.no_grad():
        return sum((net(a).argmax(1) == b).sum().item() for a, b in loader) / len(loader.dataset)
for epoch in range(2):
    print(accuracy(train))
    for n, (a, b) in enumerate(train):
        update(a, b)
print(accuracy(LAST))
"""


@pytest.mark.parametrize("way", BREAKS)
def test_the_test_data_may_be_asked_for_at_the_end(found, way):
    assert found(HELD_OUT.replace("LAST", "test"), way) == set()


def test_a_whole_run_that_never_asks_for_the_test_data_is_told(found):
    assert found(HELD_OUT.replace("LAST", "train")) == {"tested_on_train"}
