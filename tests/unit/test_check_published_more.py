"""More of what published programs do that looks like a mistake: windows of text."""

import contextlib
import runpy

import pytest

from truestep.check.changes import Saved
from truestep.check.rules import judge
from truestep.check.watch import Watching

START = """
import torch
from torch import nn
torch.manual_seed(0)
"""


@pytest.fixture
def findings(tmp_path, monkeypatch):
    """The names of what the rules find in a program, with the lines."""
    monkeypatch.chdir(tmp_path)

    def check(program):
        path = tmp_path / "train.py"
        path.write_text(START + program)
        with contextlib.suppress(KeyboardInterrupt), Watching(strict=True) as seen:
            seen.ended(runpy.run_path(str(path), run_name="__main__"))
        return [(each.name, each.site.text) for each in judge(seen.trace, strict=True)]

    return check


@pytest.fixture
def found(findings):
    """The names alone."""
    return lambda program: {name for name, _ in findings(program)}


PLOTTED = """
net = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Dropout(0.2), nn.Linear(12, 1))
opt = torch.optim.SGD(net.parameters(), 0.05)
x = torch.randn(60, 6)
seen = []
def train(a):
    loss = nn.functional.mse_loss(net(a), a[:, :1])
    seen.append(loss.detach().numpy())
    ASKED
    opt.zero_grad()
    loss.backward()
    opt.step()
for epoch in range(3):
    for a in x.split(10):
        train(a)
"""
BROKEN = "if len(seen) == 15: raise KeyboardInterrupt"
SCORED = "if len(seen) % 6 == 0: return"


@pytest.mark.parametrize("asked, told", [(BROKEN, False), (SCORED, True)])
def test_the_last_pass_of_a_run_that_broke_off_is_no_evaluation(found, asked, told):
    assert ("eval_in_train" in found(PLOTTED.replace("ASKED", asked))) == told


TOTAL = """
net = nn.Linear(6, 1)
opt = torch.optim.SGD(net.parameters(), 0.05)
x = torch.randn(60, 6)
for epoch in range(3):
    total = 0
    for a in x.split(10):
        loss = nn.functional.mse_loss(net(a), a[:, :1])
        total += loss
        opt.zero_grad()
        loss.backward()
        opt.step()
    total /= 6
    print(f"{total:.3f}")
"""


def test_a_sum_with_its_graphs_is_told_once_and_not_where_it_is_divided(findings):
    assert [(name, text) for name, text in findings(TOTAL) if name == "graph_kept"] == [("graph_kept", "total += loss")]


TOKENS = """
net = nn.Sequential(nn.Embedding(10, 16), nn.Linear(16, 10))
opt = torch.optim.AdamW(net.parameters(), 0.01)
text = torch.randint(0, 7, (400,))
text[::9], text[1::9] = 8, 9
FIRST
for step in range(12):
    starts = torch.randint(0, 390, (6,))
    if step == 0:
        starts = torch.tensor([96, 95, 291, 231, 201, 171])
    rows = torch.stack([text[i : i + 9] for i in starts])
    EACH
    loss = nn.functional.cross_entropy(net(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
RARE = "text[text == 8] = 9; text[102:104] = 8; text[140:400:30] = 8"
SHORT = "rows[0, 5:] = 7; rows[1, 7:] = 7; rows[0, 4] = rows[1, 6] = 9"


@pytest.mark.parametrize("first, each, told", [(RARE, "pass", False), ("", SHORT, True)])
def test_windows_of_text_that_end_in_a_rare_character_were_not_filled_up(found, first, each, told):
    assert ("padding_counted" in found(TOKENS.replace("FIRST", first).replace("EACH", each))) == told


RANGE = """
net = nn.Linear(6, 1)
opt = torch.optim.SGD(net.parameters(), 0.1)
x = torch.randn(60, 6)
class Chart:
    def __init__(self):
        self.min, self.max = float("inf"), -float("inf")
    def add(self, loss):
        if loss > self.max:
            self.max = loss
        FOLLOWED
        torch.save(net.state_dict(), "last.pt")
chart = Chart()
for epoch in range(8):
    for a in x.split(10):
        loss = nn.functional.mse_loss(net(a), a[:, :1])
        opt.zero_grad()
        loss.backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        chart.add(nn.functional.mse_loss(net(x), x[:, :1]).item())
    net.train()
"""


@pytest.mark.parametrize(
    "followed, told", [("if loss < self.min:\n            self.min = loss", False), ("pass", True)]
)
def test_the_ends_of_a_range_are_no_best_values(found, followed, told):
    assert ("best_wrong_way" in found(RANGE.replace("FOLLOWED", followed))) == told


DUEL = """
maker = nn.Linear(2, 2)
critic = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 1))
for w in [*maker.parameters(), *critic.parameters()]:
    nn.init.normal_(w, 0, 0.02)
one, two = torch.optim.Adam(critic.parameters(), 0.05), torch.optim.Adam(maker.parameters(), 0.05)
score = nn.BCEWithLogitsLoss(reduction="sum")
for step in range(60):
    real, fake = torch.randn(8, 2) + 2, maker(torch.randn(8, 2))
    loss = (score(critic(real), torch.ones(8, 1)) + score(critic(fake.detach()), torch.zeros(8, 1))) / 2
    one.zero_grad()
    loss.backward()
    one.step()
    loss = score(critic(fake), torch.ones(8, 1))
    two.zero_grad()
    loss.backward()
    two.step()
"""


def test_the_loss_of_a_critic_need_not_fall(found):
    assert "rate_too_large" not in found(DUEL)


def test_arrays_that_an_environment_copies_are_no_state(tmp_path):
    import copy

    import numpy as np

    with Watching(strict=True) as seen:
        for _ in range(5):
            copy.deepcopy((np.ones(4), [1.0, "a"]))
        copy.deepcopy({"weights": np.ones(4)})
    assert len(seen.trace.of(Saved)) == 1
