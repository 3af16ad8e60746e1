"""Two copies of one model, trained apart by two optimizers, for a comparison."""

import copy

import torch
from torch import nn

torch.manual_seed(80)
x = torch.randn(300, 8)
y = x[:, :1] - x[:, 1:2].abs()
first = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 1))
runs = {"sgd": first, "adam": copy.deepcopy(first)}
opts = {
    "sgd": torch.optim.SGD(runs["sgd"].parameters(), lr=0.05),
    "adam": torch.optim.Adam(runs["adam"].parameters(), lr=0.01),
}
for epoch in range(5):
    line = []
    for name, model in runs.items():
        for i in torch.randperm(300).split(30):
            loss = nn.functional.mse_loss(model(x[i]), y[i])
            opts[name].zero_grad()
            loss.backward()
            opts[name].step()
        line.append(f"{name} {loss.item():.4f}")
    print("epoch", epoch, *line)
result = {"loss": loss.item()}
