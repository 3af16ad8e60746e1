"""Several starts on the same data: after each the best error so far is noted, which only falls."""

import copy

import torch
from torch import nn

torch.manual_seed(5)
x = torch.rand(150, 2) * 4 - 2
y = torch.sin(2 * x[:, :1]) * x[:, 1:]
x_valid, y_valid = x[110:], y[110:]
lowest, curve = float("inf"), []
for start in range(5):
    net = nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Linear(12, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
    for _ in range(6):
        for rows in torch.randperm(110).split(22):
            optimizer.zero_grad()
            nn.functional.mse_loss(net(x[rows]), y[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            error = nn.functional.mse_loss(net(x_valid), y_valid).item()
        if error < lowest:
            lowest, chosen = error, copy.deepcopy(net)
    curve.append(lowest)
    print(f"start {start}: {lowest:.4f}")
result = {"lowest": curve[-1], "starts": len(curve)}
