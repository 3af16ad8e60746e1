import copy
import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(300, 6)
y = (x[:, 0] * x[:, 1] > 0).long()
net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 2))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
best, keep = 0.0, None
for epoch in range(15):
    perm = torch.randperm(200)
    for i in range(0, 200, 20):
        b = perm[i : i + 20]
        out = net(x[b])
        opt.zero_grad()
        nn.functional.cross_entropy(out, y[b]).backward()
        opt.step()
    acc = float(np.mean(out.detach().argmax(1).numpy() == y[b].numpy()))
    if acc > best:
        best, keep = acc, copy.deepcopy(net.state_dict())
    print(epoch, acc)
net.load_state_dict(keep)
with torch.no_grad():
    accuracy = float(np.mean(net(x[200:]).argmax(1).numpy() == y[200:].numpy()))
result = {"best": best, "accuracy": accuracy}
