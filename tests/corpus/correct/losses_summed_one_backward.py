"""The losses of three batches are averaged first and go backward together."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(82)
x = torch.randn(360, 5)
y = x.pow(2).sum(1, keepdim=True)
loader = DataLoader(TensorDataset(x, y), batch_size=30, shuffle=True)
model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(8):
    pending = []
    for xb, yb in loader:
        pending.append(nn.functional.mse_loss(model(xb), yb))
        if len(pending) == 3:
            loss = torch.stack(pending).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            pending.clear()
    print("epoch", epoch, "loss", loss.item())
result = {"loss": loss.item()}
