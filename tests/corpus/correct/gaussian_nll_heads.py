"""A mean and a log-variance are learned together; the loss may be negative, rightly."""

import torch
from torch import nn

torch.manual_seed(109)
x = torch.rand(400, 1) * 2 - 1
y = 0.5 * x + 0.05 * (1 + x) * torch.randn(400, 1)
net = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 2))
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(15):
    for i in torch.randperm(400).split(40):
        mean, log_var = net(x[i]).chunk(2, dim=1)
        loss = 0.5 * (log_var + (y[i] - mean).square() / log_var.exp()).mean()
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        opt.step()
    if epoch % 5 == 4:
        print("epoch", epoch + 1, "nll", loss.item())
result = {"nll": loss.item()}
