import copy

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
replicas = [model, *(copy.deepcopy(model) for _ in range(2))]
optimizers = [torch.optim.SGD(replica.parameters(), lr=0.05, momentum=0.9) for replica in replicas]
x = torch.randn(240, 4)
y = x.abs().sum(1, keepdim=True)
for step in range(30):
    shards = torch.randperm(240)[:60].chunk(3)
    for replica, shard in zip(replicas, shards, strict=True):
        replica.zero_grad()
        loss = nn.functional.mse_loss(replica(x[shard]), y[shard])
        loss.backward()
    for group in zip(*(replica.parameters() for replica in replicas), strict=True):
        mean = torch.stack([p.grad for p in group]).mean(0)
        for p in group:
            p.grad = mean.clone()
    for optimizer in optimizers:
        optimizer.step()
print(loss.item())

result = {"loss": loss.item(), "same": float(torch.equal(replicas[0][0].weight, replicas[2][0].weight))}
