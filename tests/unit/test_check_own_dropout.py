"""Dropout that a model does by hand, with and without a look at its mode."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

NET = """
def layer(a, p):
    mask = (torch.rand(a.shape) > p).float()
    return DROPS
class Drops(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 12), nn.Linear(12, 2)
    def forward(self, a):
        h = torch.relu(self.first(a))
        if ASKED:
            h = layer(h, 0.3)
        return self.last(h)
net = Drops()
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(4):
    net.train()
    for rows in torch.randperm(64).split(16):
        update(x[rows], y[rows])
    net.eval()
    with torch.no_grad():
        print((net(x[64:]).argmax(1) == y[64:]).float().mean().item())
"""
CASES = {
    "product over the share": ("mask * a / (1.0 - p)", "True", True),
    "mask over the share": ("a * (mask / (1.0 - p))", "True", True),
    "asked": ("mask * a / (1.0 - p)", "self.training", False),
    "a mask that hides": ("mask * a", "True", False),
}


@pytest.mark.parametrize("drops, asked, told", CASES.values(), ids=CASES)
def test_a_mask_of_ones_own_that_drops_in_eval_mode_is_told(found, drops, asked, told):
    assert ("functional_dropout" in found(NET.replace("DROPS", drops).replace("ASKED", asked))) is told
