"""Reptile: the weights go back to where the task began and then a part of the way to where it ended."""

import copy

import torch
from torch import nn

torch.manual_seed(74)
net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
for outer in range(30):
    before = copy.deepcopy(net.state_dict())
    phase = 3.14 * torch.rand(1)
    inner = torch.optim.SGD(net.parameters(), lr=0.02)
    for _ in range(8):
        x = torch.rand(20, 1) * 6 - 3
        loss = nn.functional.mse_loss(net(x), torch.sin(x + phase))
        inner.zero_grad()
        loss.backward()
        inner.step()
    after = net.state_dict()
    net.load_state_dict({k: before[k] + 0.3 * (after[k] - before[k]) for k in before})
    if outer % 10 == 9:
        print("outer", outer + 1, "last inner loss", loss.item())
result = {"loss": loss.item()}
