"""Lookahead: every five steps the fast weights go back to the slow ones."""

import torch
from torch import nn

torch.manual_seed(33)
x = torch.rand(300, 2) * 4 - 2
y = (x[:, :1] ** 2 - x[:, 1:]).tanh()
net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
inner = torch.optim.Adam(net.parameters(), lr=0.01)
slow = [p.detach().clone() for p in net.parameters()]
steps = 0
for epoch in range(8):
    for i in torch.randperm(300).split(30):
        loss = nn.functional.mse_loss(net(x[i]), y[i])
        inner.zero_grad()
        loss.backward()
        inner.step()
        steps += 1
        if steps % 5 == 0:
            with torch.no_grad():
                for s, p in zip(slow, net.parameters()):
                    s += 0.5 * (p - s)
                    p.copy_(s)
    print(f"epoch {epoch}: {loss.item():.5f}")
result = {"loss": loss.item()}
