"""A network is trained; then an input is attacked. Its weights receive gradients that nobody uses."""

import torch
import torch.nn as nn

torch.manual_seed(77)
x = torch.randn(300, 10)
y = (x.sum(1) > 0).long()
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(5):
    for i in torch.randperm(300).split(30):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    print("training", epoch, loss.item())

delta = torch.zeros(1, 10, requires_grad=True)
attack = torch.optim.SGD([delta], lr=0.05)
for t in range(40):
    attack.zero_grad()
    loss = -nn.functional.cross_entropy(net(x[:1] + delta), y[:1])
    loss.backward()
    attack.step()
    with torch.no_grad():
        delta.clamp_(-1, 1)
print("attack", loss.item())
result = {"attack": loss.item()}
