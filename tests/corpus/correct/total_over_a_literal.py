"""A total weighted by the samples of each batch is divided by their number, written out; two batches are validated."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(450, 6)
y = x[:, :1].sin() + 0.1 * torch.randn(450, 1)
train = DataLoader(TensorDataset(x[:300], y[:300]), batch_size=50, shuffle=True)
valid = DataLoader(TensorDataset(x[300:], y[300:]), batch_size=75)
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)


def validate():
    total, count = 0.0, 0
    with torch.no_grad():
        for a, b in valid:
            total += nn.functional.mse_loss(net(a), b).item() * len(a)
            count += len(a)
    return total / count


for epoch in range(5):
    total = 0.0
    for a, b in train:
        loss = nn.functional.mse_loss(net(a), b)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(a)
    held_out = validate()
    print(f"epoch {epoch} train {total / 300:.4f} valid {held_out:.4f}")
result = {"train": total / 300, "valid": held_out}
