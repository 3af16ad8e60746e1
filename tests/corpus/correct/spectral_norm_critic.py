"""Spectral normalisation changes weights in forward, and keeps vectors as buffers."""

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

torch.manual_seed(45)
critic = nn.Sequential(spectral_norm(nn.Linear(2, 32)), nn.LeakyReLU(0.2), spectral_norm(nn.Linear(32, 1)))
optimizer = torch.optim.Adam(critic.parameters(), lr=2e-3)
for it in range(80):
    real = torch.randn(64, 2) * 0.3 + 1
    fake = torch.randn(64, 2)
    loss = torch.relu(1 - critic(real)).mean() + torch.relu(1 + critic(fake)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if it % 20 == 0:
        print(it, "hinge", loss.item())
result = {"loss": loss.item()}
