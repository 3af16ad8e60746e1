"""A pollution model for two cities: instruments fail now and then, and gaps become the usual value, zero."""

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(7)
torch.manual_seed(7)
SLOPES = np.array([1.2, -0.7, 0.4, 2.0])


def measured(days, level):
    weather = rng.normal([12 + level, 60, 1013, 4 + level], [6, 15, 8, 2], (days, 4))
    smog = weather / [6, 15, 8, 2] @ SLOPES + rng.normal(0, 0.2, days)
    weather[rng.random(weather.shape) < 0.08] = np.nan
    return weather, smog.astype(np.float32)


def prepared(weather):
    scaled = (weather - np.nanmean(weather, axis=0)) / np.nanstd(weather, axis=0)
    return np.where(np.isnan(scaled), 0, scaled).astype(np.float32)


here, there = measured(400, 0), measured(160, 3)
days, smog = torch.from_numpy(prepared(here[0])), torch.from_numpy(here[1])
held, told = torch.from_numpy(prepared(there[0])), torch.from_numpy(there[1])

net = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
middle = smog.mean()
for epoch in range(25):
    for rows in torch.randperm(400).split(40):
        loss = (net(days[rows]).squeeze(1) + middle - smog[rows]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

with torch.no_grad():
    error = (net(held).squeeze(1) + middle - told).abs().mean().item()
print(f"in the other city the forecast is off by {error:.2f}")
result = {"error": error}
