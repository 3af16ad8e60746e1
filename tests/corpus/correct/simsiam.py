"""SimSiam: both branches are one network; the stop-gradient is the method."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(44)
f = nn.Sequential(nn.Linear(10, 32, bias=False), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 16))
h = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 16))
optimizer = torch.optim.SGD([*f.parameters(), *h.parameters()], lr=0.05, momentum=0.9)
x = torch.randn(400, 10)


def D(p, z):
    return -F.cosine_similarity(p, z.detach(), dim=-1).mean()


for epoch in range(6):
    for i in torch.randperm(400).split(50):
        x1, x2 = x[i] + 0.3 * torch.randn(len(i), 10), x[i] + 0.3 * torch.randn(len(i), 10)
        z1, z2 = f(x1), f(x2)
        loss = D(h(z1), z2) / 2 + D(h(z2), z1) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: similarity {-loss.item():.4f}")
result = {"loss": loss.item()}
