import torch
from torch import nn

torch.manual_seed(20)
year = torch.linspace(0, 1, 500)
rainfall = 2 * year + 0.5 * torch.randn(500)
harvest = 3 * rainfall + 0.2 * torch.randn(500)
x, y = rainfall[:, None], harvest[:, None]
x_train, x_test, y_train, y_test = x[:350], x[350:], y[:350], y[350:]


def standardise(t, mean, std):
    return (t - mean) / std


mean, std = x_train.mean(), x_train.std()
x_train = standardise(x_train, mean, std)
x_test = standardise(x_test, x_test.mean(), x_test.std())
y_mean = y_train.mean()
regression = nn.Linear(1, 1)
adam = torch.optim.Adam(regression.parameters(), lr=0.05)
for epoch in range(20):
    for rows in torch.randperm(350).split(35):
        loss = nn.functional.mse_loss(regression(x_train[rows]), y_train[rows] - y_mean)
        adam.zero_grad()
        loss.backward()
        adam.step()
with torch.no_grad():
    mae = (regression(x_test) + y_mean - y_test).abs().mean().item()
print("mean absolute error in the last years", mae)
result = {"mae": mae}
