import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(300, 6)
y = (x[:, 0] * x[:, 1] > 0).long()
net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 2))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
sched = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, mode="max", patience=1)


def f1(p, t):
    tp = sum(a == 1 and b == 1 for a, b in zip(p, t))
    fp = sum(a == 1 and b == 0 for a, b in zip(p, t))
    fn = sum(a == 0 and b == 1 for a, b in zip(p, t))
    return 2 * tp / max(2 * tp + fp + fn, 1)


for epoch in range(20):
    for i in range(0, 200, 20):
        opt.zero_grad()
        nn.functional.cross_entropy(net(x[i : i + 20]), y[i : i + 20]).backward()
        opt.step()
    with torch.no_grad():
        p = net(x[200:]).argmax(1).tolist()
    score = f1(p, y[200:].tolist())
    sched.step(score)
    print(epoch, score, opt.param_groups[0]["lr"])
result = {"rate": opt.param_groups[0]["lr"]}
