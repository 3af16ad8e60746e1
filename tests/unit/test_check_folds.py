"""Folds that take turns in being held out, and parts of a run that only look so."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Sampler, TensorDataset

from truestep.check.events import Batch
from truestep.check.watch import Watching
from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

FOLDS = """
parts = torch.randperm(96).chunk(4)
def fit(rows, epochs=6):
    opt = torch.optim.Adam(net.parameters(), 0.01)
    for epoch in range(epochs):
        for b in rows[torch.randperm(len(rows))].split(16):
            opt.zero_grad()
            nn.functional.cross_entropy(net(x[b]), y[b]).backward()
            opt.step()
def score(rows):
    with torch.no_grad():
        return (net(x[rows]).argmax(1) == y[rows]).float().mean().item()
def others(k):
    return torch.cat([part for j, part in enumerate(parts) if j != k])
first = [p.detach().clone() for p in net.parameters()]
"""
LOADED = """
import copy
from torch.utils.data import Subset
data = TensorDataset(x, y)
states = copy.deepcopy(net.state_dict())
for k in range(4):
    PREPARE
    opt = torch.optim.SGD(net.parameters(), 0.1)
    epochs(DataLoader(Subset(data, others(k).tolist()), 16, shuffle=True), 3)
    right = 0
    with torch.no_grad():
        for a, b in DataLoader(Subset(data, parts[k].tolist()), 16):
            right += (net(a).argmax(1) == b).sum().item()
    print(right / len(parts[k]))
"""
TAKE_TURNS = "for k in range(4):\n    fit(others(k))\n    print(score(parts[k]))\n"
ANEW = {
    "in place": "for p in net.parameters():\n        nn.init.normal_(p, 0, 0.3)",
    "behind the back of autograd": "for p in net.parameters():\n        p.data.normal_(0, 0.3)",
    "layer by layer": "net.apply(lambda one: one.reset_parameters() if hasattr(one, 'reset_parameters') else None)",
    "from a copy": "for p, old in zip(net.parameters(), first):\n        p.data.copy_(old)",
}


def test_one_model_that_goes_through_all_folds_is_told(found):
    assert "tested_on_train" in found(FOLDS + TAKE_TURNS)
    assert "tested_on_train" in found(FOLDS + LOADED.replace("PREPARE", "pass"))


@pytest.mark.parametrize(
    "how",
    [each if each == "behind the back of autograd" else pytest.param(each, marks=pytest.mark.long) for each in ANEW],
)
def test_a_model_that_is_set_back_for_each_fold_is_not(found, how):
    assert "tested_on_train" not in found(FOLDS + TAKE_TURNS.replace("    fit", f"    {ANEW[how]}\n    fit"))
    assert "tested_on_train" not in found(FOLDS + LOADED.replace("PREPARE", ANEW[how]))


def test_a_state_that_is_loaded_for_each_fold_is_silent_too(found):
    assert "tested_on_train" not in found(FOLDS + LOADED.replace("PREPARE", "net.load_state_dict(states)"))


PHASES = {
    "tasks in turn, each scored on all of their data": (
        "for k in range(4):\n    fit(parts[k])\n    print([score(part) for part in parts])\n"
    ),
    "what was learned before is scored after each task": (
        "for k in range(4):\n    fit(parts[k])\n    print([score(part) for part in parts[: k + 1]])\n"
    ),
    "each part of a stream is scored before it is learned": (
        "for k in range(3):\n    fit(parts[k])\n    print(score(parts[k + 1]))\n"
    ),
    "more and more data": (
        "for k in range(1, 4):\n    fit(torch.cat(parts[:k]))\n    print(score(torch.cat(parts[k:])))\n"
    ),
    "one part is unlearned after the other": (
        "fit(torch.arange(96))\nfor k in range(3):\n    fit(torch.cat(parts[k + 1:]))\n    print(score(parts[k]))\n"
    ),
}


@pytest.mark.parametrize("phases", PHASES)
def test_parts_of_a_run_that_are_no_folds_are_silent(found, phases):
    assert "tested_on_train" not in found(FOLDS + PHASES[phases])


ONCE = LOADED.replace("    opt = torch.optim.SGD(net.parameters(), 0.1)\n", "").replace(
    "for k", "opt = torch.optim.SGD(net.parameters(), 0.1)\nfor k"
)
DRAWN = """
from torch.utils.data import SubsetRandomSampler
data = TensorDataset((4 * x).round(), y)  # whole numbers: rows may meet by chance
for k in range(4):
    epochs(DataLoader(data, 16, sampler=SubsetRandomSampler(OF(others(k)))), 3)
    right = 0
    with torch.no_grad():
        for a, b in DataLoader(data, 16, sampler=SubsetRandomSampler(OF(parts[k]))):
            right += (net(a).argmax(1) == b).sum().item()
    print(right / len(parts[k]))
"""


def test_one_model_and_one_optimizer_for_all_folds_are_told(found):
    assert "tested_on_train" in found(FOLDS + ONCE.replace("PREPARE", "pass"))
    assert "tested_on_train" not in found(FOLDS + ONCE.replace("PREPARE", "net.load_state_dict(states)"))
    assert "tested_on_train" not in found(FOLDS + ONCE.replace("PREPARE", ANEW["behind the back of autograd"]))


@pytest.mark.parametrize("of", ["", "np.asarray", "torch.Tensor.tolist"])
def test_indices_of_numpy_and_torch_count_as_numbers_do(found, of):
    assert "tested_on_train" in found(FOLDS + DRAWN.replace("OF", of))


class Parts(Sampler):
    def __init__(self, of):
        self.of = of

    def __iter__(self):
        return iter([self.of(np.array([3, 1])), self.of(np.array([0, 2]))])


@pytest.mark.parametrize("of", [np.asarray, list, tuple, torch.as_tensor, lambda part: list(torch.as_tensor(part))])
def test_batches_are_known_by_plain_numbers_whatever_a_sampler_gives(of):
    with Watching(strict=True) as seen:
        list(DataLoader(TensorDataset(torch.arange(4.0)), batch_sampler=Parts(of)))
    indices = [batch.index for batch in seen.trace.of(Batch)]
    assert indices == [(3, 1), (0, 2)]
    assert {type(each) for index in indices for each in index or ()} == {int}


GRAPH = """
order = torch.randperm(96)
idx_train, idx_val, idx_test = order[:30], order[30:50], order[50:]
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(12):
    out = net(x)
    loss = nn.functional.cross_entropy(out[idx_train], y[idx_train])
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        out = net(x)
        acc_train = (out[idx_train].argmax(1) == y[idx_train]).float().mean()
        acc_val = (out[idx_val].argmax(1) == y[idx_val]).float().mean()
    print("train", acc_train.item(), "val", acc_val.item())
"""
TESTED = """
with torch.no_grad():
    out = net(x)
    loss_test = nn.functional.cross_entropy(out[ROWS], y[ROWS])
print("test", loss_test.item())
"""


def test_rows_of_the_training_that_are_called_a_test_are_told_where_those_of_the_test_go_into_nothing(found):
    assert "tested_on_train" in found(GRAPH + TESTED.replace("ROWS", "idx_train"))
    assert "tested_on_train" not in found(GRAPH + TESTED.replace("ROWS", "idx_test"))
    assert "tested_on_train" not in found(GRAPH)


TUNED = """
def fit(rows, wanted, epochs):
    for epoch in range(epochs):
        for b in torch.randperm(len(rows)).split(8):
            opt.zero_grad()
            nn.functional.cross_entropy(net(rows[b]), wanted[b]).backward()
            opt.step()
def accuracy(rows, wanted):
    with torch.no_grad():
        return (net(rows).argmax(1) == wanted).float().mean().item()
old = torch.randn(400, 6)
fit(old, (old[:, 1] > 0).long(), 6)
net[2] = nn.Linear(12, 2)
ADDED
fit(x[:32], y[:32], 8)
print(accuracy(x[:32], y[:32]))
print(accuracy(x[32:], y[32:]))
"""


def test_a_head_that_is_put_in_late_is_looked_at_closely_and_scores_of_two_sets_are_two(found):
    assert found(TUNED.replace("ADDED", "")) == {"optimizer_strangers"}
    assert not found(TUNED.replace("ADDED", "opt.add_param_group({'params': net[2].parameters(), 'lr': 0.01})"))


SCALED = """
rows, aims = x.numpy(), (x[:, 0] + 0.5 * torch.randn(96)).numpy()
net = nn.Linear(6, 1)
order = np.random.permutation(96)
for held in np.array_split(order, 4):
    kept = np.setdiff1d(order, held)
    mean, std = rows[kept].mean(0), rows[kept].std(0)
    PREPARE
    opt = torch.optim.Adam(net.parameters(), 0.01)
    def pair(part):
        return torch.from_numpy((rows[part] - mean) / std), torch.from_numpy(aims[part])
    for epoch in range(5):
        for a, b in DataLoader(TensorDataset(*pair(kept)), 16, shuffle=True):
            opt.zero_grad()
            ((net(a)[:, 0] - b) ** 2).mean().backward()
            opt.step()
    with torch.no_grad():
        a, b = pair(held)
        print("held out", (net(a)[:, 0] - b).square().mean().item())
"""


def test_folds_that_scale_their_inputs_anew_are_known_by_their_targets(found):
    assert "tested_on_train" in found(SCALED.replace("PREPARE", "pass"))
    assert "tested_on_train" not in found(SCALED.replace("PREPARE", "net = nn.Linear(6, 1)"))
    assert "tested_on_train" not in found(SCALED.replace("PREPARE", ANEW["layer by layer"]))
