import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(5)
x = torch.rand(230, 3)
y = (x.sum(1, keepdim=True) ** 2) + 0.05 * torch.randn(230, 1)
training = DataLoader(TensorDataset(x[:150], y[:150]), batch_size=25, shuffle=True)
holdout = DataLoader(TensorDataset(x[150:], y[150:]), batch_size=36)
net = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
sgd = torch.optim.SGD(net.parameters(), lr=0.05)
total_error = nn.MSELoss(reduction="sum")


def holdout_error():
    net.eval()
    error = 0.0
    with torch.no_grad():
        for inputs, wanted in holdout:
            error += total_error(net(inputs), wanted).item()
    net.train()
    count = len(holdout.dataset)
    mse = error / count
    print(f"holdout mse {mse:.5f}")
    return mse


for epoch in range(6):
    for inputs, wanted in training:
        sgd.zero_grad()
        nn.functional.mse_loss(net(inputs), wanted).backward()
        sgd.step()
    mse = holdout_error()
result = {"mse": mse}
