"""Counts are never negative: the output is made positive, and the log link has a loss of its own."""

import torch
from torch import nn

torch.manual_seed(89)
x = torch.randn(500, 4)
counts = torch.poisson((0.5 * x[:, 0] + 0.3 * x[:, 1] + 1).exp())
model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
criterion = nn.PoissonNLLLoss(log_input=False)
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(8):
    for i in torch.randperm(500).split(50):
        rate = nn.functional.softplus(model(x[i])).squeeze(1)
        loss = criterion(rate, counts[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch} nll {loss.item():.4f}")
result = {"loss": loss.item()}
