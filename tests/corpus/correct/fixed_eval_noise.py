"""Validation of a denoiser uses the same noise in each epoch, from a generator of its own, to be comparable."""

import torch
from torch import nn

torch.manual_seed(92)
clean = torch.randn(400, 2) @ torch.randn(2, 12)
net = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 12))
opt = torch.optim.Adam(net.parameters(), lr=5e-3)


def validate():
    g = torch.Generator().manual_seed(0)
    noise = torch.randn(100, 12, generator=g)
    with torch.no_grad():
        return nn.functional.mse_loss(net(clean[300:] + noise), clean[300:]).item()


for epoch in range(6):
    for i in torch.randperm(300).split(30):
        loss = nn.functional.mse_loss(net(clean[i] + torch.randn(30, 12)), clean[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch} validation {validate():.4f}")
result = {"validation": validate()}
