import numpy as np
import torch
from torch import nn


def standardise(table):
    return (table - table.mean(0)) / table.std(0)


rng = np.random.default_rng(1)
torch.manual_seed(1)
train = rng.normal(3, 2, (300, 5))
test = rng.normal(5, 3, (100, 5))
weights = rng.normal(size=(5, 1))
y_train, y_test = (train @ weights).astype("float32"), (test @ weights).astype("float32")
mean, std = train.mean(0), train.std(0)
x_train = standardise(train)
x_test = (test - mean) / std
x_train, x_test = (torch.tensor(a, dtype=torch.float32) for a in (x_train, x_test))
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)
model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(20):
    for i in range(0, 300, 50):
        opt.zero_grad()
        nn.functional.mse_loss(model(x_train[i : i + 50]), y_train[i : i + 50]).backward()
        opt.step()
with torch.no_grad():
    print(nn.functional.mse_loss(model(x_test), y_test).item())
result = {"mean": x_test.mean().abs().item()}
