"""Where a gradient ends, which rows are scored, which weight meets which loss: what is right must be left alone."""

import runpy

import pytest

from truestep.check.rules import judge
from truestep.check.watch import Watching

START = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(64, 6)
y = x[:, 0].sin()
"""


@pytest.fixture
def found(tmp_path, monkeypatch):
    """What the rules find in a program: name -> the first finding."""
    monkeypatch.chdir(tmp_path)

    def check(program):
        path = tmp_path / "train.py"
        path.write_text(START + program)
        with Watching(strict=True) as seen:
            seen.ended(runpy.run_path(str(path), run_name="__main__"))
        return {each.name: each for each in reversed(judge(seen.trace, strict=True))}

    return check


LOOP = """
net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
opt = torch.optim.Adam(net.parameters(), 0.01)
for step in range(8):
    losses = [(net(x[i:i + 8]) - y[i:i + 8]).pow(2).mean() for i in range(0, 64, 8)]
    opt.zero_grad()
    LOSS
    loss.backward()
    opt.step()
"""


@pytest.mark.filterwarnings("ignore:Converting a tensor")
@pytest.mark.parametrize("loss", ["torch.tensor(losses, requires_grad=True).mean()",
                                  "torch.tensor(sum(each.item() for each in losses), requires_grad=True)"])  # fmt: skip
def test_a_loss_that_is_a_new_tensor_of_numbers_trains_nothing(found, loss):
    told = found(LOOP.replace("LOSS", f"loss = {loss}"))["gradient_stopped"]
    assert (told.level, told.site.text) == ("error", f"loss = {loss}")
    assert "4 parameters" in told.message


def test_losses_that_are_stacked_train(found):
    assert not found(LOOP.replace("LOSS", "loss = torch.stack(losses).mean()"))


SOUGHT = """
net = nn.Linear(6, 3).requires_grad_(False)
for trial in range(3):
    seed = torch.zeros(1, 6, requires_grad=True)
    opt = torch.optim.Adam([seed], 0.1)
    for step in range(6):
        opt.zero_grad()
        loss = net(seed)[0, trial].neg()
        loss.backward()
        opt.step()
"""


def test_new_leaves_that_an_optimizer_holds_are_what_is_sought(found):
    assert "gradient_stopped" not in found(SOUGHT)


WEIGHTED = """
weight = torch.rand(64, 1) + 0.5
net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
opt = torch.optim.Adam(net.parameters(), 0.01)
for step in range(12):
    each = (net(x) - y).pow(2)
    opt.zero_grad()
    (WEIGHT * each).mean().backward()
    opt.step()
"""


@pytest.mark.parametrize("weight, level", [("weight", "error"), ("weight[:, 0]", None)])
def test_a_column_of_weights_gives_every_loss_every_weight(found, weight, level):
    told = found(WEIGHTED.replace("WEIGHT", weight)).get("broadcast")
    assert (told and told.level) == level


GRAPH = """
here = torch.arange(64) % 3 == 0
net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 1), nn.Flatten(0))
opt = torch.optim.Adam(net.parameters(), 0.01)
for step in range(12):
    opt.zero_grad()
    (net(x)[here] - y[here]).pow(2).mean().backward()
    opt.step()
    with torch.no_grad():
        rest = SCORED
        print((net(x)[rest] - y[rest]).abs().mean().item())
"""


@pytest.mark.parametrize("rows, level", [("~here", "error"), ("here.clone()", None)])
def test_other_rows_than_those_trained_on_are_an_evaluation(found, rows, level):
    told = found(GRAPH.replace("SCORED", rows)).get("eval_in_train")
    assert (told and told.level) == level


BARE = """
w = torch.zeros(6, requires_grad=True)
opt = torch.optim.SGD([w], 0.1)
for step in range(8):
    opt.zero_grad()
    (x @ w - y).pow(2).mean().backward()
    opt.step
"""


def test_a_step_without_brackets_is_found_where_it_is_written_and_a_tensor_by_its_name(found):
    told = found(BARE)["step_missing"]
    assert told.site.text == "opt.step"
    assert "SGD is never stepped: w and" in told.message


TAGGED = """
lengths = torch.randint(2, 12, (64,))
words, tags = torch.randint(1, 9, (64, 12)), torch.randint(1, 3, (64, 12))
for row, length in enumerate(lengths):
    words[row, length:], tags[row, length:] = 0, 0
net = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 3))
opt = torch.optim.Adam(net.parameters(), 0.01)
for step in range(12):
    opt.zero_grad()
    nn.functional.cross_entropy(net(words).flatten(0, 1), tags.flatten()IGNORED).backward()
    opt.step()
with torch.no_grad():
    keep = tags != 0
    print((net(words).argmax(-1)[keep] == tags[keep]).float().mean().item())
"""


@pytest.mark.parametrize("ignored, level", [("", "advice"), (", ignore_index=0", None)])
def test_a_class_that_the_score_leaves_out_and_the_loss_counts_is_padding(found, ignored, level):
    told = found(TAGGED.replace("IGNORED", ignored)).get("padding_counted")
    assert (told and told.level) == level


TIED = """
words = torch.randint(0, 9, (16, 5))
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.out = nn.Embedding(9, 8), nn.Linear(8, 9)
        self.tie()
    def tie(self):
        self.out.weight = self.table.weight
    def forward(self, x):
        return self.out(self.table(x))
net = Net()
net.table = nn.Embedding.from_pretrained(torch.randn(9, 8), freeze=False)
AGAIN
opt = torch.optim.Adam(net.parameters(), 0.01)
for step in range(8):
    opt.zero_grad()
    nn.functional.cross_entropy(net(words[:, :-1]).flatten(0, 1), words[:, 1:].flatten()).backward()
    opt.step()
"""


@pytest.mark.parametrize("again, level", [("", "advice"), ("net.tie()", None)])
def test_an_embedding_that_is_replaced_after_the_tie_is_told(found, again, level):
    told = found(TIED.replace("AGAIN", again)).get("broken_tie")
    assert (told and told.level) == level
