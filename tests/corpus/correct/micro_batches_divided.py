"""Gradient accumulation, each micro-batch divided by the size of its window, tail included."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
ACCUMULATE = 4
x = torch.randn(360, 8)
y = (x[:, 0] > x[:, 1]).long()
loader = DataLoader(TensorDataset(x, y), batch_size=36, shuffle=True)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for epoch in range(4):
    running = 0.0
    optimizer.zero_grad()
    for i, (xb, yb) in enumerate(loader):
        window = min(ACCUMULATE, len(loader) - i // ACCUMULATE * ACCUMULATE)
        loss = nn.functional.cross_entropy(model(xb), yb)
        (loss / window).backward()
        running += loss.item()
        if (i + 1) % ACCUMULATE == 0 or i + 1 == len(loader):
            optimizer.step()
            optimizer.zero_grad()
    print(f"epoch {epoch} loss {running / len(loader):.4f}")
result = {"loss": running / len(loader)}
