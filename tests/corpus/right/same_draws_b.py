import random

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


def set_seed(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


set_seed(42)
X = torch.randn(160, 10)
y = (X[:, 0] > X[:, 1]).long()
index = torch.arange(160)
loader = DataLoader(TensorDataset(X, y, index), batch_size=20, shuffle=True)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
orders = set()
for epoch in range(8):
    order = []
    model.train()
    for xb, yb, ib in loader:
        xb = xb + 0.1 * torch.randn_like(xb)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(xb), yb)
        loss.backward()
        optimizer.step()
        order += ib.tolist()
    orders.add(tuple(order))
    print("epoch", epoch, "loss", round(loss.item(), 4))
result = {"orders": len(orders)}
