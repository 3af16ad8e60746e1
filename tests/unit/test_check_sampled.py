"""A loader whose sampler hands out a part of the set: `len(loader.dataset)` counts what nobody saw."""

import runpy

from truestep.check.rules import judge
from truestep.check.watch import Watching

FOLDS = """
import torch
from torch import nn
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset
torch.manual_seed(0)
x = torch.randn(200, 5)
data = TensorDataset(x, (x.sum(1) > 0).long())
train, test = (DataLoader(data, 20, sampler=SubsetRandomSampler(part)) for part in (range(50, 200), range(50)))
net = nn.Linear(5, 2)
opt = torch.optim.SGD(net.parameters(), 0.05)
for epoch in range(5):
    for a, b in train:
        opt.zero_grad()
        nn.functional.cross_entropy(net(a), b).backward()
        opt.step()
    loss = 0
    with torch.no_grad():
        for a, b in test:
            loss += nn.functional.cross_entropy(net(a), b, reduction="sum").item()
    loss = torch.tensor([loss]).sum() / len(test.dataset)
    print(f"Average loss: {loss:.4f}")
"""


def test_the_count_is_told_once(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(FOLDS)
    with Watching(strict=True) as seen:
        seen.ended(runpy.run_path(str(path), run_name="__main__"))
    told = [each for each in judge(seen.trace, strict=True) if each.name == "wrong_denominator"]
    assert [each.message for each in told] == ["sums over 3 batches are divided by 200, the items of a loader"]
    assert "with the right count, 50, it is" in told[0].evidence
