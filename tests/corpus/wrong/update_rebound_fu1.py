import torch
from torch.func import grad_and_value, vmap

torch.manual_seed(2)
x = torch.randn(200, 4)
y = torch.tanh(x @ torch.tensor([1.0, -2.0, 0.5, 0.0]))


def predict(weights, row):
    return torch.tanh(row @ weights["first"]).dot(weights["last"])


def error(weights, rows, wanted):
    return (vmap(predict, (None, 0))(weights, rows) - wanted).square().mean()


def descend(weights, slopes, rate=0.1):
    return {name: weight - rate * slopes[name] for name, weight in weights.items()}


weights = {"first": 0.3 * torch.randn(4, 8), "last": 0.3 * torch.randn(8)}
for epoch in range(10):
    for rows in torch.randperm(200).split(25):
        slopes, value = grad_and_value(error)(weights, x[rows], y[rows])
        descend(weights, slopes)
    print(epoch, value.item())
result = {"error": error(weights, x, y).item()}
