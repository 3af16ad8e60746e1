"""Residual blocks are skipped at random in training: some parameters have no gradient in some steps."""

import random

import torch
from torch import nn

random.seed(62)
torch.manual_seed(62)


class Drop(nn.Module):
    def __init__(self, d, p):
        super().__init__()
        self.f, self.p = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, d)), p

    def forward(self, x):
        if self.training:
            return x + self.f(x) / (1 - self.p) if random.random() > self.p else x
        return x + self.f(x)


net = nn.Sequential(nn.Linear(3, 16), Drop(16, 0.1), Drop(16, 0.2), Drop(16, 0.3), nn.Linear(16, 1))
opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
x = torch.randn(360, 3)
y = x[:, :1].abs() + x[:, 1:2]
for epoch in range(8):
    net.train()
    for i in torch.randperm(300).split(30):
        opt.zero_grad(set_to_none=True)
        loss = nn.functional.mse_loss(net(x[i]), y[i])
        loss.backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        print(f"epoch {epoch} held-out {nn.functional.mse_loss(net(x[300:]), y[300:]).item():.4f}")
result = {"loss": loss.item()}
