"""Rules of parameters, modes and schedules where a small difference decides: what is right must be left alone."""

import runpy
from dataclasses import replace

import pytest

from truestep.check.mends.losses import AlongClasses, Ignored, Squeezed
from truestep.check.rules import judge
from truestep.check.rules._words import plural
from truestep.check.watch import Watching

START = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(200, 6)
y = x[:, :1].sin()
"""


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """The record of a program, and what the rules find in it: name -> level."""
    monkeypatch.chdir(tmp_path)

    def check(program):
        path = tmp_path / "train.py"
        path.write_text(START + program)
        with Watching(strict=True) as seen:
            seen.ended(runpy.run_path(str(path), run_name="__main__"))
        return seen.trace, judge(seen.trace, strict=True)

    return check


def levels(findings):
    return {each.name: each.level for each in findings}


LAZY = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.head = nn.Linear(6, 12), None
    def forward(self, x):
        h = torch.relu(self.a(x))
        if self.head is None:
            self.head = nn.Linear(12, 1)
        return self.head(h)
net = Net()
opt = torch.optim.SGD(net.a.parameters(), 0.1)
for step in range(12):
    loss = nn.functional.mse_loss(net(x), y)
    net.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        for p in net.head.parameters():
            MOVE
"""


def test_what_is_built_in_the_first_forward_may_be_trained_by_hand(watched):
    assert "made_in_forward" not in levels(watched(LAZY.replace("MOVE", "p -= 0.1 * p.grad"))[1])
    assert levels(watched(LAZY.replace("MOVE", "pass"))[1])["made_in_forward"] == "error"


SUM = """
net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
opt = torch.optim.SGD(net.parameters(), RATE)
for epoch in range(5):
    for b in torch.arange(200).split(40):
        loss = nn.functional.mse_loss(net(x[b]), y[b], reduction="sum")
        opt.zero_grad()
        loss.backward()
        opt.step()
"""


def test_a_loss_of_several_sums_is_a_sum(watched):
    more = "        loss = loss + 0.1 * (net(x[b]) - y[b]).abs().sum()\n"
    both = SUM.replace("        opt.zero", f"{more}        opt.zero")
    assert "sum_with_mean_rate" in levels(watched(both.replace("RATE", "0.2"))[1])
    assert "sum_with_mean_rate" not in levels(watched(both.replace("RATE", "0.002"))[1])


SMALL = """
table, rest = x.numpy() * 3 + 2, torch.randn(24, 6).numpy() * 3 + 2
mean, deviation = table.mean(0), table.std(0)
truth = torch.from_numpy(rest[:, :1]).sin()
x, held = torch.from_numpy((table - mean) / deviation), torch.from_numpy((rest - MEAN) / DEVIATION)
net = nn.Linear(6, 1)
opt = torch.optim.SGD(net.parameters(), 0.1)
for step in range(20):
    loss = nn.functional.mse_loss(net(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
net.eval()
with torch.no_grad():
    print(nn.functional.mse_loss(net(held), truth).item())
"""


def test_a_small_held_out_table_that_is_standardised_by_itself_is_seen(watched):
    own = SMALL.replace("MEAN", "rest.mean(0)").replace("DEVIATION", "rest.std(0)")
    assert "preprocessing_differs" in levels(watched(own)[1])
    shared = SMALL.replace("MEAN", "mean").replace("DEVIATION", "deviation")
    assert "preprocessing_differs" not in levels(watched(shared)[1])


@pytest.mark.long
def test_a_rate_that_is_too_large_for_the_mean_too_is_no_matter_of_the_sum(watched):
    assert "sum_with_mean_rate" in levels(watched(SUM.replace("RATE", "0.2"))[1])
    told = levels(watched(SUM.replace("RATE", "50.0"))[1])
    assert told["rate_too_large"] == "error"
    assert "sum_with_mean_rate" not in told


RELOADED = """
net = nn.Linear(6, 1)
target_net = net
opt = torch.optim.SGD(net.parameters(), 0.1)
for step in range(8):
    loss = nn.functional.mse_loss(net(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
state = net.state_dict()
CHANGE
target_net.load_state_dict(state)
"""


def test_a_state_that_is_only_partly_its_own_is_no_sync_of_a_target(watched):
    assert "target_is_same" in levels(watched(RELOADED.replace("CHANGE", ""))[1])
    changed = RELOADED.replace("CHANGE", "state['bias'] = torch.zeros(1)")
    assert "target_is_same" not in levels(watched(changed)[1])


IN_PLACE = """
net = nn.Linear(6, 1)
opt = torch.optim.SGD(net.parameters(), 0.05)
for epoch in range(EPOCHS):
    for i in range(0, 200, 20):
        rows = x[i:i + 20]
        rows.mul_(0.9)
        loss = nn.functional.mse_loss(net(rows), y[i:i + 20])
        opt.zero_grad()
        loss.backward()
        opt.step()
"""


@pytest.mark.long
def test_rows_that_are_prepared_in_place_once_are_left_alone(watched):
    assert "changed_in_place" in levels(watched(IN_PLACE.replace("EPOCHS", "3"))[1])
    assert "changed_in_place" not in levels(watched(IN_PLACE.replace("EPOCHS", "1"))[1])


ONE_LINE = """
a, b, c = nn.Linear(6, 12), nn.Linear(12, 12), nn.Linear(12, 1)
nn.init.constant_(b.bias, BIAS)
opt = torch.optim.SGD([*a.parameters(), *b.parameters(), *c.parameters()], 0.01)
for step in range(10):
    loss = nn.functional.mse_loss(c(torch.relu(b(torch.relu(a(x))))), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


def test_of_two_layers_in_one_line_the_dead_one_is_told(watched):
    assert levels(watched(ONE_LINE.replace("BIAS", "-90.0"))[1])["dead_units"] == "error"
    assert "dead_units" not in levels(watched(ONE_LINE.replace("BIAS", "0.0"))[1])


ATTACK = """
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
opt = torch.optim.SGD(net.parameters(), 0.05)
for i in range(0, 200, 20):
    net.eval()
    delta = torch.zeros(20, 6, requires_grad=True)
    DIFFERENTIATE
    net.MODE()
    opt.zero_grad()
    nn.functional.mse_loss(net(x[i:i + 20] + delta.detach()), y[i:i + 20]).backward()
    opt.step()
"""
WAYS = (
    "torch.autograd.grad(nn.functional.mse_loss(net(x[i:i + 20] + delta), y[i:i + 20]), delta)",
    "nn.functional.mse_loss(net(x[i:i + 20] + delta), y[i:i + 20]).backward()",
)


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS, ids=("grad", "backward"))
def test_an_attack_in_eval_mode_is_no_training_in_eval_mode(watched, way):
    program = ATTACK.replace("DIFFERENTIATE", way)
    assert "train_in_eval" not in levels(watched(program.replace("MODE", "train"))[1])
    assert levels(watched(program.replace("MODE", "eval"))[1])["train_in_eval"] == "error"


FROZEN = """
body, head = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8)).requires_grad_(False), nn.Linear(8, 1)
opt = torch.optim.SGD(head.parameters(), 0.05)
body.MODE()
for epoch in range(4):
    for i in range(0, 160, 20):
        with torch.no_grad():
            features = body(x[i:i + 20])
        opt.zero_grad()
        nn.functional.mse_loss(head(features), y[i:i + 20]).backward()
        opt.step()
    with torch.no_grad():
        print(nn.functional.mse_loss(head(body(x[160:])), y[160:]).item())
"""


def test_a_frozen_part_is_scored_in_eval_mode_too(watched):
    assert levels(watched(FROZEN.replace("MODE", "train"))[1])["eval_in_train"] == "error"
    assert "eval_in_train" not in levels(watched(FROZEN.replace("MODE", "eval"))[1])


SHORT = """
net = nn.Linear(6, 1)
opt = torch.optim.SGD(net.parameters(), 0.05)
warm = torch.optim.lr_scheduler.LinearLR(opt, 0.1, total_iters=WARM)
steps = torch.optim.lr_scheduler.MultiStepLR(opt, [7, 9])
for epoch in range(3 * WARM // 4):
    for i in range(0, 200, 40):
        loss = nn.functional.mse_loss(net(x[i:i + 40]), y[i:i + 40])
        opt.zero_grad()
        loss.backward()
        opt.step()
    warm.step()
"""


def test_a_recipe_of_epochs_that_was_cut_short_is_worth_advice_at_most(watched):
    assert levels(watched(SHORT.replace("WARM", "8"))[1]).get("schedule_by_epoch") == "advice"


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_mends_are_handed_facts_and_read_no_words(watched):
    program = """
net, head = nn.Linear(6, 1), nn.Linear(6, 3)
ids = torch.randint(0, 3, (200, 2)).sort(0).values
emb = nn.Embedding(3, 4, padding_idx=0)
out = nn.Linear(4, 3)
opt = torch.optim.SGD([*net.parameters(), *head.parameters(), *emb.parameters(), *out.parameters()], 0.01)
for step in range(6):
    cross = nn.functional.mse_loss(net(x), y.squeeze(1))
    wrong = nn.functional.nll_loss(torch.log_softmax(head(x), dim=0), ids[:, 0])
    padded = nn.functional.cross_entropy(out(emb(ids)).transpose(1, 2), ids)
    opt.zero_grad()
    (cross + wrong + padded).backward()
    opt.step()
"""
    trace, findings = watched(program)
    told = {each.name: replace(each, message="", evidence="", fix="") for each in findings}
    assert Squeezed().offer(trace, told["broadcast"]) == {"score": False, "loss": True}
    assert AlongClasses().offer(trace, told["softmax_dim"]) == {"dim": 1}
    assert Ignored().offer(trace, told["padding_counted"]) == {"ignored": 0}


def test_counts_are_told_in_words():
    assert [plural(n, "pass", "passes") for n in (0, 1, 2)] == ["0 passes", "1 pass", "2 passes"]
    assert [plural(n, "batch", "batches") for n in (1, 3)] == ["1 batch", "3 batches"]
    assert plural(2, "step") == "2 steps"
