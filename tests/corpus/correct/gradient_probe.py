"""The norm of each task's gradient is measured by a backward of its own, cleared, and used as a weight of the real loss."""

import torch
from torch import nn

torch.manual_seed(71)
trunk = nn.Sequential(nn.Linear(5, 24), nn.ReLU())
heads = nn.ModuleList([nn.Linear(24, 1), nn.Linear(24, 1)])
params = [*trunk.parameters(), *heads.parameters()]
opt = torch.optim.Adam(params, lr=2e-2)
x = torch.randn(300, 5)
ys = [x[:, :1], 20 * x[:, 1:2].abs()]
weights = torch.ones(2)
for epoch in range(6):
    for n, rows in enumerate(torch.randperm(300).split(30)):
        if n == 0:
            for k in range(2):
                opt.zero_grad()
                nn.functional.mse_loss(heads[k](trunk(x[rows])), ys[k][rows]).backward()
                weights[k] = 1 / (torch.cat([p.grad.flatten() for p in trunk.parameters()]).norm() + 1e-3)
            weights /= weights.mean()
        h = trunk(x[rows])
        losses = [nn.functional.mse_loss(head(h), y[rows]) for head, y in zip(heads, ys)]
        opt.zero_grad()
        (weights[0] * losses[0] + weights[1] * losses[1]).backward()
        opt.step()
    print(f"epoch {epoch}: {losses[0].item():.3f} {losses[1].item():.3f} weights {weights.tolist()}")
result = {"first": losses[0].item(), "second": losses[1].item()}
