import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(270, 6)
y = (x[:, 0] + 0.5 * torch.randn(270) > 0).long()
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.Adam(net.parameters(), lr=0.01)


def accuracy(pred, true):
    return float(np.mean(pred == true))


for epoch in range(6):
    for i in range(0, 200, 20):
        opt.zero_grad()
        nn.functional.cross_entropy(net(x[i : i + 20]), y[i : i + 20]).backward()
        opt.step()
    scores, sizes = [], []
    with torch.no_grad():
        for xb, yb in zip(x[200:].split(32), y[200:].split(32)):
            scores.append(accuracy(net(xb).argmax(1).numpy(), yb.numpy()))
            sizes.append(len(yb))
    mean = float(np.average(scores, weights=sizes))
    print(epoch, "val acc", mean)
result = {"mean": mean, "exact": float(np.average(scores, weights=sizes))}
