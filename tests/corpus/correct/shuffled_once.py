"""The rows were shuffled once at the start and are read in that order in every epoch."""

import torch

torch.manual_seed(90)
x = torch.cat([torch.randn(200, 5) - 0.7, torch.randn(200, 5) + 0.7])
y = torch.cat([torch.zeros(200), torch.ones(200)])
order = torch.randperm(400)
x, y = x[order], y[order]
net = torch.nn.Linear(5, 1)
sgd = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(5):
    for xb, yb in zip(x[:320].split(32), y[:320].split(32)):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(xb).squeeze(1), yb)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    with torch.no_grad():
        accuracy = ((net(x[320:]).squeeze(1) > 0) == (y[320:] > 0)).float().mean().item()
    print("epoch", epoch, "held-out accuracy", accuracy)
result = {"accuracy": accuracy}
