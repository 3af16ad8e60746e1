"""Cross-validated error of a small regression, four folds by hand."""

import torch
from torch import nn

torch.manual_seed(4)
features = torch.randn(200, 10)
prices = features[:, :1] - features[:, 1:2] + torch.randn(200, 1)
K = 4
mse = nn.MSELoss()


def get_net():
    return nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 1))


def get_fold(i):
    size = len(features) // K
    held = torch.zeros(len(features), dtype=torch.bool)
    held[i * size : (i + 1) * size] = True
    return features[~held], prices[~held], features[held], prices[held]


def rmse(net, x, y):
    with torch.no_grad():
        return mse(net(x), y).sqrt().item()


def train(net, x, y, x_valid, y_valid, epochs=15, batch_size=32):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(batch_size):
            optimizer.zero_grad()
            mse(net(x[rows]), y[rows]).backward()
            optimizer.step()
    return rmse(net, x, y), rmse(net, x_valid, y_valid)


def k_fold():
    total = 0.0
    net = get_net()
    for i in range(K):
        train_rmse, valid_rmse = train(net, *get_fold(i))
        print(f"fold {i + 1}: train {train_rmse:.4f} valid {valid_rmse:.4f}")
        total += valid_rmse
    return total / K


result = {"rmse": k_fold()}
print(f"{K}-fold average {result['rmse']:.4f}")
