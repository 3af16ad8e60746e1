"""Averages of the weights that nothing asks."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

RUN = """
from torch.optim.swa_utils import AveragedModel
class Shadow:
    def __init__(self, net, keep=0.95):
        self.keep, self.held = keep, {name: p.detach().clone() for name, p in net.named_parameters()}
    def follow(self, net):
        for name, p in net.named_parameters():
            self.held[name] = self.keep * self.held[name] + (1 - self.keep) * p.detach()
    def lend(self, net):
        for name, p in net.named_parameters():
            p.data.copy_(self.held[name])
slow = MAKE
for epoch in range(4):
    for a, b in DataLoader(TensorDataset(x, y), 16, shuffle=True):
        update(a, b)
        RENEW
net.eval()
with torch.no_grad():
    USE
    print("hits", (net(x).argmax(1) == y).float().mean().item())
"""
WAYS = {
    "torch's": ("AveragedModel(net)", "slow.update_parameters(net)"),
    "by hand": ("Shadow(net)", "slow.follow(net)"),
}
USES = {
    "torch's": ["slow(x)", "net.load_state_dict(slow.module.state_dict())", "torch.save(slow, 'slow.pt')"],
    "by hand": ["slow.lend(net)", "best = slow", "print(len(slow.held))"],
}


def program(way, use):
    make, renew = WAYS[way]
    return RUN.replace("MAKE", make).replace("RENEW", renew).replace("USE", use)


@pytest.mark.parametrize("way", WAYS)
def test_an_average_that_nothing_asks_is_told(found, way):
    assert "update_rebound" in found(program(way, "pass"))


@pytest.mark.parametrize("way, use", [(way, use) for way, uses in USES.items() for use in uses])
def test_an_average_that_anything_asks_is_left_alone(found, way, use):
    assert "update_rebound" not in found(program(way, use))


def test_one_where_no_score_follows_may_be_for_later(found):
    assert "update_rebound" not in found(program("by hand", "pass").partition("net.eval()")[0])
