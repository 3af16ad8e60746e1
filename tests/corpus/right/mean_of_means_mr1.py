import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(41)
rooms = torch.rand(250, 5)
rent = 10 * rooms[:, :1] + 3 * rooms[:, 1:2] ** 2 + 0.3 * torch.randn(250, 1)
rent[-10:] += 6
train_loader = DataLoader(TensorDataset(rooms[:150], rent[:150]), batch_size=30, shuffle=True)
test_loader = DataLoader(TensorDataset(rooms[150:], rent[150:]), batch_size=45)
net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
mse = nn.MSELoss()


def test_rmse():
    roots, counts = [], []
    with torch.no_grad():
        for features, wanted in test_loader:
            roots.append(math.sqrt(mse(net(features), wanted).item()))
            counts.append(len(wanted))
    return math.sqrt(sum(root**2 * count for root, count in zip(roots, counts)) / sum(counts))


for epoch in range(6):
    for features, wanted in train_loader:
        optimizer.zero_grad()
        mse(net(features), wanted).backward()
        optimizer.step()
    rmse = test_rmse()
    print(f"epoch {epoch}: RMSE {rmse:.4f}")
result = {"rmse": rmse}
