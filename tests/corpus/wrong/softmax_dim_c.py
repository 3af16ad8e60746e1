"""Papers that cite one another: a graph network learns from the labels of a few of them and is asked for the rest."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(41)
nodes, kinds = 150, 3
topic = torch.randint(0, kinds, (nodes,))
words = torch.rand(nodes, 30) < 0.06 + 0.12 * (torch.arange(30) % kinds == topic[:, None])
alike = topic[:, None] == topic[None, :]
links = torch.rand(nodes, nodes) < torch.where(alike, 0.03, 0.004)
links = (links | links.T | torch.eye(nodes, dtype=torch.bool)).float()
scale = links.sum(1).rsqrt()
links = scale[:, None] * links * scale[None, :]
order = torch.randperm(nodes)
train, test = order[:60], order[60:]


class Graph(nn.Module):
    def __init__(self, inner=12):
        super().__init__()
        self.first = nn.Linear(30, inner)
        self.second = nn.Linear(inner, kinds)

    def forward(self, x):
        x = torch.relu(self.first(links @ x))
        return F.log_softmax(links @ self.second(x), dim=0)


model = Graph()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for step in range(80):
    optimizer.zero_grad()
    loss = F.nll_loss(model(words.float())[train], topic[train])
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step} loss {loss.item():.3f}")
with torch.no_grad():
    out = model(words.float())
result = {
    "accuracy": (out[test].argmax(1) == topic[test]).float().mean().item(),
    "loss": F.nll_loss(F.log_softmax(out[test], dim=1), topic[test]).item(),
    "total": (out.exp().sum(1) - 1).abs().max().item(),
}
