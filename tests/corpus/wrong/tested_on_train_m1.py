import random

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset


def parts(rows, share, draw):
    numbers = list(range(len(rows)))
    draw.shuffle(numbers)
    cut = int(share * len(rows))
    return Subset(rows, numbers[cut:]), Subset(rows, numbers[:cut])


def loaders(draw):
    x = torch.randn(160, 30)
    y = x[:, :1] - x[:, 1:2] + torch.randn(160, 1)
    learn, check = parts(TensorDataset(x, y), 0.3, draw)
    yield DataLoader(learn, 16, shuffle=True)
    yield DataLoader(learn, 64)


def validate(net, loader):
    net.eval()
    with torch.no_grad():
        return sum((net(x) - y).square().sum().item() for x, y in loader) / len(loader.dataset)


def fit(net, train, valid, epochs=30):
    opt = torch.optim.Adam(net.parameters(), lr=0.005)
    for epoch in range(epochs):
        net.train()
        for x, y in train:
            opt.zero_grad()
            nn.functional.mse_loss(net(x), y).backward()
            opt.step()
        error = validate(net, valid)
    print(f"validation error {error:.3f}")
    return error


torch.manual_seed(4)
net = nn.Sequential(nn.Linear(30, 64), nn.Tanh(), nn.Linear(64, 1))
result = {"error": fit(net, *loaders(random.Random(4)))}
