"""Windows of one series are read in order on purpose: shuffle=False, the future is held out."""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(10)
n = 600
t = torch.arange(n).float()
demand = 0.002 * t + torch.sin(t / 7) + 0.1 * torch.randn(n)
windows = demand.unfold(0, 13, 1)
X, Y = windows[:, :12], windows[:, 12:]
split = 480
train_loader = DataLoader(TensorDataset(X[:split], Y[:split]), batch_size=32, shuffle=False)
test_loader = DataLoader(TensorDataset(X[split:], Y[split:]), batch_size=32, shuffle=False)
model = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(6):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    model.eval()
    squared, count = 0.0, 0
    with torch.no_grad():
        for x, y in test_loader:
            squared += nn.functional.mse_loss(model(x), y, reduction="sum").item()
            count += y.numel()
    print(f"epoch {epoch} test mse {squared / count:.4f}")
result = {"mse": squared / count}
