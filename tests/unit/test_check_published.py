"""What published programs do that looks like a mistake: long episodes, comparisons, batches that are only looked at."""

import runpy

import pytest

from truestep.check import recorder
from truestep.check.rules import judge
from truestep.check.watch import Watching

START = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(200, 6)
y = x[:, :1].sin()
"""


@pytest.fixture
def found(tmp_path, monkeypatch):
    """The names of what the rules find in a program."""
    monkeypatch.chdir(tmp_path)

    def check(program):
        path = tmp_path / "train.py"
        path.write_text(START + program)
        with Watching(strict=True) as seen:
            seen.ended(runpy.run_path(str(path), run_name="__main__"))
        return {each.name for each in judge(seen.trace, strict=True)}

    return check


POLICY = """
net = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 2))
opt = torch.optim.SGD(net.parameters(), 0.01)
for episode in range(4):
    logs, rewards = [], []
    for row in range(100):
        choice = torch.distributions.Categorical(logits=net(x[row : row + 1]))
        action = choice.sample()
        rewards.append(float(action.item()))
        logs.append(choice.log_prob(action))
    loss = -(torch.cat(logs).sum() * sum(rewards) / 100)
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


@pytest.mark.long
def test_each_step_of_a_long_episode_reaches_the_update_that_takes_it(found):
    assert "eval_in_train" not in found(POLICY)


def test_passes_of_a_look_that_ended_before_their_update_are_no_evaluation(found, monkeypatch):
    monkeypatch.setattr(recorder, "STRETCH", 660)
    assert "eval_in_train" not in found(POLICY)


MODES = """
net = nn.Sequential(nn.Linear(6, 12), nn.Dropout(0.5), nn.Linear(12, 1))
opt = torch.optim.SGD(net.parameters(), 0.05)
def score():
    with torch.no_grad():
        return nn.functional.mse_loss(net(x[:50]), y[:50]).item()
for epoch in range(4):
    for step in range(5):
        loss = nn.functional.mse_loss(net(x[50:]), y[50:])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(score())
    EACH
net.eval()
print(score())
"""


@pytest.mark.parametrize("each, told", [("pass", True), ("net.eval(); print(score()); net.train()", False)])
def test_scores_in_either_mode_each_time_are_a_comparison(found, each, told):
    assert ("eval_in_train" in found(MODES.replace("EACH", each))) == told


SHOWN = """
from torch.utils.data import DataLoader, TensorDataset
train = DataLoader(TensorDataset(x[:150], y[:150]), 30, shuffle=True)
test = DataLoader(TensorDataset(x[150:], y[150:]), 30)
net = nn.Linear(6, 1)
opt = torch.optim.SGD(net.parameters(), 0.05)
first, _ = next(iter(train))
print(first.mean().item())
for epoch in range(3):
    for a, b in train:
        loss = nn.functional.mse_loss(net(a), b)
        opt.zero_grad()
        loss.backward()
        opt.step()
SCORE
"""
SCORED = """
net.eval()
with torch.no_grad():
    print("test", sum(nn.functional.mse_loss(net(a), b).item() * len(a) for a, b in train) / 150)
"""


@pytest.mark.parametrize("score, told", [(SCORED, True), ("", False)])
def test_a_batch_that_is_only_looked_at_is_no_test(found, score, told):
    assert ("tested_on_train" in found(SHOWN.replace("SCORE", score))) == told
