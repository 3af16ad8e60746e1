"""Logits are scaled cosines: bounded on purpose."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(84)


class CosineHead(nn.Module):
    def __init__(self, d, classes, scale=16.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, d))
        self.scale = scale

    def forward(self, h):
        return self.scale * F.linear(F.normalize(h), F.normalize(self.weight))


centres = torch.randn(5, 10)
y = torch.randint(0, 5, (400,))
x = centres[y] + 0.7 * torch.randn(400, 10)
net = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 8), CosineHead(8, 5))
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
for epoch in range(6):
    for i in torch.randperm(400).split(40):
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")
result = {"loss": loss.item()}
