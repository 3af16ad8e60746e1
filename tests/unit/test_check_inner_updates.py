"""Inner updates that are thrown away, losses made of derivatives without a graph, and ranks that are never learned."""

import pytest
import torch

import truestep as ts
from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

ADAPTED = """
F = nn.functional
weights = [(torch.randn(16, 1) * 0.5).requires_grad_(), torch.zeros(16, requires_grad=True),
           (torch.randn(1, 16) * 0.2).requires_grad_(), torch.zeros(1, requires_grad=True)]
opt = torch.optim.Adam(weights, 0.01)
def network(a, w):
    return F.linear(torch.tanh(F.linear(a, w[0], w[1])), w[2], w[3])
def adapted(a, b, fast):
    for _ in range(2):
        grads = torch.autograd.grad(F.mse_loss(network(a, fast), b), fast, create_graph=True)
        ADAPT
    return fast
for turn in range(20):
    total = 0.0
    for task in range(3):
        phase = torch.rand(1) * 3
        one, other = torch.randn(10, 1), torch.randn(10, 1)
        fast = adapted(one, torch.sin(one + phase), list(weights))
        total = total + F.mse_loss(network(other, fast), torch.sin(other + phase)) / 3
    opt.zero_grad()
    total.backward()
    opt.step()
print(total.item())
"""


@pytest.mark.parametrize(
    "adapt, told",
    [
        ("for w, g in zip(fast, grads): w = w - 0.05 * g", True),
        ("for w, g in zip(fast, grads): w.sub(0.05 * g)", True),
        ("fast = [w - 0.05 * g for w, g in zip(fast, grads)]", False),
    ],
)
def test_an_inner_update_that_is_bound_to_a_name_is_told(found, adapt, told):
    assert ("update_rebound" in found(ADAPTED.replace("ADAPT", adapt))) == told


DERIVED = """
class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.energy = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
        self.friction = nn.Linear(2, 2, bias=False)
    def forward(self, a):
        with torch.enable_grad():
            a = a.detach().requires_grad_(True)
            slope, = torch.autograd.grad(self.energy(a).sum(), a, GRAPH)
        return slope + self.friction(a)
net = Field()
HELD
opt = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], 0.01)
points = torch.randn(96, 2)
for epoch in range(5):
    for rows in torch.randperm(96).split(16):
        loss = (net(points[rows]) - points[rows].cos()).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
print(loss.item())
"""


@pytest.mark.parametrize(
    "graph, held, told",
    [
        ("retain_graph=True", "", True),
        ("create_graph=True", "", False),
        ("retain_graph=True", "net.energy.requires_grad_(False)", False),  # a known energy, not one that is learned
    ],
)
def test_derivatives_without_a_graph_teach_nothing(found, graph, held, told):
    assert ("gradient_stopped" in found(DERIVED.replace("GRAPH", graph).replace("HELD", held))) == told


RANKED = """
taste = torch.randn(6)
lists, others = torch.randn(96, 10, 6), torch.randn(40, 10, 6)
gain, wanted = (lists @ taste).sigmoid(), (others @ taste)
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(-2))
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(5):
    for rows in torch.randperm(96).split(16):
        scores = net(lists[rows])
        loss = LOSS
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        best = net(others).argsort(dim=1, descending=True)[:, :1]
        print(wanted.gather(1, best).mean().item())
"""
OVER = "-(gain[rows].softmax({0}) * scores.log_softmax({0})).sum() / 16"


@pytest.mark.parametrize(
    "loss, told",
    [
        (OVER.format(0), True),
        (f"{OVER.format(0)} + {OVER.format(1)}", False),  # both ways, as contrastive losses are
        (OVER.format(1), False),
    ],
)
def test_scores_that_are_ranked_along_the_dimension_that_is_not_learned_are_told(found, loss, told):
    assert ("softmax_dim" in found(RANKED.replace("LOSS", loss))) == told


def test_a_lost_update_of_all_the_weights_there_are_is_told_once():
    w, data = torch.zeros(3, requires_grad=True), torch.randn(80, 3)
    with ts.watch() as report:
        for row in data.split(8):
            (g,) = torch.autograd.grad((row @ w - row.sum(1)).square().mean(), [w])
            _ = w - 0.1 * g
    assert [each.name for each in report.findings] == ["update_rebound"]
