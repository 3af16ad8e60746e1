"""An exponential moving average beside the model, evaluated through a copy of its own."""

import copy

import torch
import torch.nn as nn

torch.manual_seed(8)
model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))
ema = copy.deepcopy(model).eval()
for p in ema.parameters():
    p.requires_grad_(False)
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
x = torch.randn(500, 4)
y = x.abs().sum(1, keepdim=True)
for epoch in range(6):
    for rows in torch.randperm(400).split(40):
        loss = nn.functional.mse_loss(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for e, p in zip(ema.parameters(), model.parameters()):
                e.lerp_(p, 0.1)
    with torch.no_grad():
        val = nn.functional.mse_loss(ema(x[400:]), y[400:]).item()
    print(f"epoch {epoch} train {loss.item():.4f} ema val {val:.4f}")
result = {"val": val}
