"""Cyclic restarts: each cycle of epochs begins with a new optimizer and ends with a deep copy of the model."""

import copy

import torch
from torch import nn

torch.manual_seed(76)
x = torch.randn(400, 7)
y = (x[:, 0] * x[:, 1] > 0).long()
model = nn.Sequential(nn.Linear(7, 32), nn.ReLU(), nn.Linear(32, 2))
snapshots = []
for cycle in range(3):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=6)
    for epoch in range(6):
        for i in torch.randperm(300).split(30):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[i]), y[i])
            loss.backward()
            optimizer.step()
        scheduler.step()
    snapshots.append(copy.deepcopy(model))
    print("cycle", cycle, "loss", loss.item())
with torch.no_grad():
    p = torch.stack([s(x[300:]).softmax(1) for s in snapshots]).mean(0)
result = {"accuracy": (p.argmax(1) == y[300:]).float().mean().item()}
print(result)
