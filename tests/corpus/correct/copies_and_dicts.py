import copy

import torch
from torch import nn
from torch.func import functional_call, grad

torch.manual_seed(0)
x = torch.randn(240, 6)
y = (x[:, 0] * x[:, 1] > 0).long()
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
before = copy.deepcopy(net)  # what the training is compared with
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)


def accuracy(model):
    model.eval()
    with torch.no_grad():
        return (model(x[200:]).argmax(1) == y[200:]).float().mean().item()


for epoch in range(6):
    net.train()
    for rows in torch.randperm(200).split(40):
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, accuracy(before), accuracy(net))


# a step ahead, and from there the slope for the step itself
def objective(weights, rows):
    return nn.functional.cross_entropy(functional_call(net, weights, (x[rows],)), y[rows])


weights = {name: weight.detach() for name, weight in net.named_parameters()}
for rows in torch.randperm(200).split(25):
    slopes = grad(objective)(weights, rows)
    ahead = {name: weight - 0.1 * slopes[name] for name, weight in weights.items()}
    slopes = grad(objective)(ahead, rows)
    weights = {name: weight - 0.1 * slopes[name] for name, weight in weights.items()}

# how far one step on a few rows of its own takes each of several users
gains = []
for rows in torch.arange(200).split(20):
    slopes = grad(objective)(weights, rows)
    own = {name: weight - 0.2 * slopes[name] for name, weight in weights.items()}
    with torch.no_grad():
        gains.append((objective(weights, rows) - objective(own, rows)).item())
result = {"gain": sum(gains) / len(gains)}
