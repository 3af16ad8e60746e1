"""Weights that are overwritten unread, best models that a function compares, and samples in `where`."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

REPTILE = """
import copy
def inner(steps):
    own = torch.optim.SGD(net.parameters(), 0.05)
    for step in range(steps):
        rows = torch.randint(0, 96, (12,))
        own.zero_grad()
        nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
        own.step()
def outer():
    start = copy.deepcopy(net.state_dict())
    moves = {key: torch.zeros_like(value) for key, value in start.items()}
    for task in range(3):
        net.load_state_dict(start)
        inner(3)
        for key, value in net.state_dict().items():
            moves[key] += (value - start[key]) / 3
    FIRST
    with torch.no_grad():
        for key, p in net.named_parameters():
            p.add_(moves[key], alpha=0.5)
    LAST
for turn in range(8):
    outer()
"""
BACK = "net.load_state_dict(start)"


@pytest.mark.parametrize("first, last, told", [("", BACK, True), (BACK, "", False)])
def test_an_update_by_hand_that_the_next_load_overwrites_is_told(found, first, last, told):
    assert ("update_undone" in found(REPTILE.replace("FIRST", first).replace("LAST", last))) is told


KEEPS = """
import copy, operator
class Keeper:
    def __init__(self, mode):
        self.better = operator.lt if mode == "min" else operator.gt
        self.value = float("inf") if mode == "min" else -float("inf")
    def __call__(self, figures):
        if self.better(figures["margin"], self.value):
            self.value = figures["margin"]
            self.weights = copy.deepcopy(net.state_dict())
def loss_of(a, b):
    return nn.functional.softplus(-net(a)[:, 0] * (2 * b - 1)).mean()
keeper = Keeper(MODE)
for epoch in range(8):
    for rows in torch.randperm(64).split(16):
        opt.zero_grad()
        loss_of(x[rows], y[rows]).backward()
        opt.step()
    with torch.no_grad():
        keeper({"margin": loss_of(x[64:], y[64:]).item()})
net.load_state_dict(keeper.weights)
"""


@pytest.mark.parametrize("mode, told", [("'max'", True), ("'min'", False)])
def test_a_function_that_compares_is_known_by_what_it_kept(found, mode, told):
    assert ("best_wrong_way" in found(KEEPS.replace("MODE", mode))) is told


HIDDEN = """
class Coder(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.randn(8))
        self.into, self.qkv, self.out = nn.Linear(5, 8), nn.Linear(8, 24), nn.Linear(8, 5)
    def forward(self, a, hide):
        n, steps = a.shape[:2]
        h = HIDES
        q, k, v = self.qkv(h).CUT
        h = ((q @ k.transpose(-1, -2)).softmax(-1) @ v).transpose(1, 2).reshape(n, steps, 8)
        return self.out(h)
net = Coder()
opt = torch.optim.Adam(net.parameters(), 0.01)
steps = torch.randn(96, 7, 5)
for epoch in range(3):
    for rows in torch.randperm(96).split(12):
        a, hide = steps[rows], torch.rand(12, 7) < 0.5
        loss = (((net(a, hide) - a) ** 2).mean(-1) * hide).sum() / hide.sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
HIDES = ("torch.where(hide[..., None], self.token, self.into(a))", "self.into(a).masked_fill(hide[..., None], 0.0)")
CUTS = {"reshape(3, n, 2, steps, 4)": True, "reshape(n, steps, 3, 2, 4).permute(2, 0, 3, 1, 4)": False}


@pytest.mark.parametrize("hides", HIDES)
@pytest.mark.parametrize("cut, told", CUTS.items())
def test_samples_are_followed_through_what_hides_a_part_of_them(found, cut, told, hides):
    assert ("samples_mixed" in found(HIDDEN.replace("CUT", cut).replace("HIDES", hides))) is told
