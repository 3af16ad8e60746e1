"""Rare labels, weighted; the sigmoid is applied for the predictions only."""

import torch
from torch import nn

torch.manual_seed(29)
x = torch.randn(500, 8)
y = (x @ torch.randn(8, 4) > 3).float()
pos_weight = (1 - y.mean(0)) / y.mean(0).clamp(min=0.01)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
criterion = nn.BCEWithLogitsLoss(pos_weight=pos_weight)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(8):
    for i in torch.randperm(400).split(40):
        loss = criterion(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        found = torch.sigmoid(model(x[400:])) > 0.5
    recall = (found & (y[400:] > 0)).sum().item() / max(1, y[400:].sum().item())
    print(f"epoch {epoch} loss {loss.item():.4f} recall {recall:.3f}")
result = {"recall": recall}
