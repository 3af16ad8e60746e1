"""The old words for a loss's reduction, `size_average` and `reduce`, mean what torch makes of them."""

import runpy

import pytest

from truestep.check.rules import judge
from truestep.check.watch import Watching

EVALUATED = """
import torch
from torch import nn
from torch.nn import functional as F
torch.manual_seed(0)
x = torch.randn(160, 6)
data = torch.utils.data.TensorDataset(x, x[:, :3].argmax(1))
train, test = torch.utils.data.DataLoader(data, 32, shuffle=True), torch.utils.data.DataLoader(data, 64)
net = nn.Linear(6, 3)
opt = torch.optim.SGD(net.parameters(), 0.1)
for epoch in range(4):
    for a, b in train:
        opt.zero_grad()
        F.cross_entropy(net(a), b).backward()
        opt.step()
    total = 0
    with torch.no_grad():
        for a, b in test:
            total += F.nll_loss(F.log_softmax(net(a), 1), b, WORDS)
    total /= len(test.dataset)
    print(f"Average loss: {total:.4f}")
"""


@pytest.mark.filterwarnings("ignore:size_average and reduce")
@pytest.mark.parametrize("words, told", [("size_average=False", 0), ("size_average=True", 1), ("reduce=True", 1)])
def test_a_sum_by_its_old_name_is_divided_by_the_samples(tmp_path, words, told):
    path = tmp_path / "train.py"
    path.write_text(EVALUATED.replace("WORDS", words))
    with Watching(strict=True) as seen:
        seen.ended(runpy.run_path(str(path), run_name="__main__"))
    assert [each.name for each in judge(seen.trace, strict=True)].count("wrong_denominator") == told
