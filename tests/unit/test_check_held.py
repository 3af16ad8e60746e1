"""Rules of data where a small difference decides: what is held out, what is mixed, and what is taken to the end."""

import gc
import runpy
import weakref

import pytest

from truestep.check.rules import judge
from truestep.check.rules._pace import Pace, Stride, thrown
from truestep.check.trace import Trace, Update
from truestep.check.watch import Watching

START = """
import numpy as np
import torch
from torch import nn
torch.manual_seed(0)
np.random.seed(0)
x = torch.randn(400, 6)
y = (x[:, 0] > 0).long()
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.Adam(net.parameters(), 0.01)
def train(x, y):
    for b in torch.randperm(len(x)).split(32):
        opt.zero_grad()
        nn.functional.cross_entropy(net(x[b]), y[b]).backward()
        opt.step()
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


@pytest.mark.parametrize("scored, told", [("z[320:], y[320:]", False), ("z, y", True)])
def test_queries_taken_out_of_the_outputs_of_all_rows_are_held_out(levels, scored, told):
    found = levels(f"""
for epoch in range(10):
    train(x[:320], y[:320])
    with torch.no_grad():
        z = net(x)
        q, w = {scored}
        print("accuracy", (y[:320][torch.cdist(q, z[:320]).argmin(1)] == w).float().mean().item())
""")
    assert ("tested_on_train" in found) == told


@pytest.mark.parametrize("part, told", [("test", False), ("train", True)])
def test_an_array_kept_apart_and_never_used_was_meant_for_the_score(levels, part, told):
    found = levels(f"""
data = np.random.randn(400, 6).astype(np.float32)
x_train, x_test = torch.from_numpy(data[:300].copy()), torch.from_numpy(data[300:].copy())
y_train, y_test = (x_train[:, 0] > 0).long(), torch.from_numpy((data[300:, 0] > 0).astype(np.int64))
for epoch in range(4):
    train(x_train, y_train)
    with torch.no_grad():
        print("test accuracy", (net(x_{part}).argmax(1) == y_{part}).float().mean().item())
""")
    assert found.get("tested_on_train") == ("warning" if told else None)


@pytest.mark.parametrize("move, told", [("reshape(b, t, -1)", True), ("transpose(0, 1)", False)])
def test_features_may_be_as_many_as_samples(levels, move, told):
    found = levels(f"""
lstm, head = nn.LSTM(6, 32), nn.Linear(32, 2)
b, t = 32, 5
for step in range(6):
    s = torch.randn(b, t, 6)
    out = lstm(s.transpose(0, 1))[0].{move}
    nn.functional.cross_entropy(head(out).flatten(0, 1), (s[..., 0] > 0).long().flatten()).backward()
""")
    assert (found.get("samples_mixed") == "error") == told


@pytest.mark.parametrize("first", [False, True])
def test_samples_are_followed_though_many_calls_made_the_data(levels, first):
    found = levels(f"""
for k in range(4500):
    x[k % 400]
layer, head = nn.TransformerEncoderLayer(6, 2, 16, 0.0, batch_first={first}), nn.Linear(6, 2)
s = torch.randn(400, 7, 6)
for b in torch.randperm(400).split(50):
    nn.functional.cross_entropy(head(layer(s[b]).mean(1)), y[b]).backward()
""")
    assert (found.get("samples_mixed") == "error") != first


@pytest.mark.parametrize("count, cut, told", [
    ("len(t) // 60", "i * 60 : (i + 1) * 60", True), ("-(-len(t) // 60)", "i * 60 : (i + 1) * 60", False),
    ("1", ":60", False),
])  # fmt: skip
def test_a_tail_behind_the_only_batch_is_advice(levels, count, cut, told):
    found = levels(f"""
t, w = x[300:], y[300:]
for epoch in range(4):
    train(x[:300], y[:300])
    with torch.no_grad():
        print("accuracy", sum((net(t[{cut}]).argmax(1) == w[{cut}]).sum().item() for i in range({count})))
""")
    assert found.get("samples_unseen") == ("advice" if told else None)


@pytest.mark.parametrize("seed", ["", "np.random.seed(1)"])
def test_two_arrays_shuffled_without_one_seed_are_apart(levels, seed):
    found = levels(f"""
a = np.random.randn(600, 6).astype(np.float32)
c = (a[:, 0] > 0).astype(np.int64)
np.random.seed(1)
np.random.shuffle(a)
{seed}
np.random.shuffle(c)
for epoch in range(4):
    train(torch.from_numpy(a), torch.from_numpy(c))
""")
    assert found.get("shuffled_apart") == (None if seed else "warning")


@pytest.mark.parametrize("share, far", [(0.1, 2.5), (1.5, 2.5), (0.1, 25.0)])
def test_updates_that_calm_down_to_a_better_loss_are_not_thrown(share, far):
    losses = [1.0, far, 2.5, 2.5, 2.5, 1.0, 1.0, 1.0, *[share] * 4]
    strides = [
        Stride(Update(None, None, (), ()), loss, 5.0, 0.3 if k < 5 else 0.1, 1.0) for k, loss in enumerate(losses)
    ]
    assert bool(thrown(Pace(None, "SGD", tuple(strides), (), 32.0))) == (share > 1 or far > 5)


def test_what_rules_make_of_a_record_goes_with_it():
    made = []

    def count(trace):
        made.append(trace.updates_made)
        return Kept()

    first, second = Trace(updates_made=1), Trace(updates_made=2)
    one = weakref.ref(first.once(count))
    assert first.once(count) is one()
    assert second.once(count) is not one()
    assert made == [1, 2]
    judge(first, strict=True)
    del first
    gc.collect()
    assert one() is None, "judging keeps the record of a run that is over"


class Kept:
    pass
