"""Outputs for all nodes of a graph: of which rows the loss is made, and of which the score."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

RING = """
nodes = 240
kind = torch.randint(3, (nodes,))
near = torch.eye(nodes) + torch.eye(nodes).roll(1, 0) + torch.eye(nodes).roll(-1, 0)
near = near / near.sum(1, keepdim=True)
signs = nn.functional.one_hot(kind, 5) + torch.randn(nodes, 5)
order = torch.randperm(nodes)
known, asked = order[:120], order[120:]
mask = torch.zeros(nodes, dtype=torch.bool)
mask[known] = True
class Graph(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(5, 8), nn.Linear(8, 3)
    def forward(self, signs, near):
        return near @ self.last(torch.relu(near @ self.first(signs)))
graph = Graph()
opt = torch.optim.Adam(graph.parameters(), 0.02)
for epoch in range(6):
    out = graph(signs, near)
    loss = LOSS
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        guess = graph(signs, near).argmax(1)
    SCORE
"""
ALL = "nn.functional.cross_entropy(out, kind)"
PART = "nn.functional.cross_entropy(out[known], kind[known])"
MASKED = "(nn.functional.cross_entropy(out, kind, reduction='none') * mask).sum() / mask.sum()"
TEST = "test_hits = (guess[asked] == kind[asked]).float().mean().item(); print('test', test_hits)"
BOTH = "print('test', *[(guess[each] == kind[each]).float().mean().item() for each in (known, asked)])"
KINDS = "print('by kind, validation', *[(guess[kind == k] == k).float().mean().item() for k in range(3)])"
HALVES = "print([(guess[part] == kind[part]).float().mean().item() for part in (known, asked)])"
WHOLE = "test_hits = (guess == kind).float().mean().item(); print('test', test_hits)"


@pytest.mark.parametrize(
    "loss, score, told",
    [
        (ALL, TEST, True),
        (ALL, BOTH, True),
        (ALL, KINDS, False),  # classes are no parts that were held out
        (ALL, HALVES, False),  # nor does the program call these so
        (ALL, WHOLE, False),
        (PART, BOTH, False),
        (MASKED, BOTH, False),
        (PART, WHOLE, True),
        (PART, WHOLE + "; " + TEST, False),  # the rest is told too
    ],
)
def test_held_out_nodes_are_in_the_loss_or_in_the_score_of_all(found, loss, score, told):
    assert ("tested_on_train" in found(RING.replace("LOSS", loss).replace("SCORE", score))) == told
