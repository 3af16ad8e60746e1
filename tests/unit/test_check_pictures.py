"""Pictures that a generator makes while it trains are no scores: batch normalisation may be at work in them."""

import runpy

import pytest

from truestep.check.rules import judge
from truestep.check.watch import Watching

START = """
import numpy as np
import torch
from torch import nn
torch.manual_seed(0)
np.random.seed(0)
x, y = torch.randn(128, 6) * 0.3 + 1, torch.arange(128) % 3
def mlp(*sizes):
    return nn.Sequential(nn.Linear(sizes[0], 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, sizes[1]))
def by_numpy(n):
    return torch.Tensor(np.random.normal(0, 1, (n, 4)))
def by_torch(n):
    return torch.randn(n, 4)
def joined(z):
    return torch.cat([z, nn.functional.one_hot(torch.arange(len(z)) % 3, 3).float()], 1)
"""


@pytest.fixture
def found(tmp_path, monkeypatch):
    """The rules that name something in a program, advice left out."""
    monkeypatch.chdir(tmp_path)

    def check(program):
        path = tmp_path / "train.py"
        path.write_text(START + program)
        with Watching(strict=True) as seen:
            seen.ended(runpy.run_path(str(path), run_name="__main__"))
        return {each.name for each in judge(seen.trace, strict=True) if each.level != "advice"}

    return check


ADVERSARIES = """
draw = lambda n: DRAW
fixed = draw(9)
maker, critic = mlp(fixed.shape[1], 6), nn.Sequential(nn.Linear(6, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
makes = torch.optim.Adam(maker.parameters(), 2e-3)
judges = torch.optim.Adam(critic.parameters(), 2e-3)
bce = nn.BCEWithLogitsLoss()
for epoch in range(3):
    for real in x[torch.randperm(128)].split(32):
        z = draw(32)
        judges.zero_grad()
        (bce(critic(real), torch.ones(32, 1)) + bce(critic(maker(z).detach()), torch.zeros(32, 1))).backward()
        judges.step()
        makes.zero_grad()
        bce(critic(maker(z)), torch.ones(32, 1)).backward()
        makes.step()
    print(maker(fixed).detach().numpy().mean())
"""


@pytest.mark.parametrize("draw", ["by_numpy(n)", "by_torch(n)", "joined(by_numpy(n))", "joined(by_torch(n))"])
def test_a_generator_may_show_pictures_in_train_mode(found, draw):
    assert found(ADVERSARIES.replace("DRAW", draw)) == set()


PREDICTED = """
net = mlp(FEATURES, 3)
opt = torch.optim.Adam(net.parameters(), 1e-2)
rows = x.numpy()
for epoch in range(2):
    for i in range(0, 128, 32):
        a = GIVEN
        opt.zero_grad()
        nn.functional.cross_entropy(net(a), y[i:i + 32]).backward()
        opt.step()
print(net(LAST).argmax(1).tolist())
"""


@pytest.mark.parametrize(
    "features, given, last",
    [
        ("6", "torch.Tensor(rows[i:i + 32])", "torch.Tensor(rows[:9] + 0.1)"),
        ("4", "by_numpy(32)", "by_numpy(9)"),
        ("10", "torch.cat([x[i:i + 32], by_torch(32)], 1)", "torch.cat([x[:9], by_torch(9)], 1)"),
    ],
)
def test_a_classifier_is_told_whatever_its_inputs_came_from(found, features, given, last):
    program = PREDICTED.replace("FEATURES", features).replace("GIVEN", given).replace("LAST", last)
    assert found(program) == {"eval_in_train"}


ENCODED = """
encoder, head = mlp(6, 4), nn.Linear(4, 3)
opt = torch.optim.Adam([*encoder.parameters(), *head.parameters()], 1e-2)
rows = x.numpy()
for epoch in range(2):
    for i in range(0, 128, 32):
        opt.zero_grad()
        nn.functional.cross_entropy(head(encoder(torch.Tensor(rows[i:i + 32]))), y[i:i + 32]).backward()
        opt.step()
print(encoder(torch.Tensor(rows[:9] + 0.1)).tolist())
"""


def test_an_encoder_that_meets_its_data_again_learned_from_no_noise(found):
    assert found(ENCODED) == {"eval_in_train"}
