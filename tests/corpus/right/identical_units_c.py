import copy

import torch
from torch import nn


class Ensemble(nn.Module):
    def __init__(self, size=4):
        super().__init__()
        member = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1))
        self.members = nn.ModuleList([copy.deepcopy(member).apply(redraw) for _ in range(size)])

    def forward(self, x):
        return torch.stack([member(x) for member in self.members])


def redraw(layer):
    if isinstance(layer, nn.Linear):
        layer.reset_parameters()


torch.manual_seed(0)
net = Ensemble()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
x = torch.randn(200, 5)
y = x.square().mean(1, keepdim=True)
for step in range(40):
    optimizer.zero_grad()
    predictions = net(x)
    loss = (predictions - y).square().mean()
    loss.backward()
    optimizer.step()

result = {"spread": predictions.std(0).mean().item()}
