"""A range test: the rate rises each step until the loss explodes, then model and optimizer start afresh."""

import copy

import torch
from torch import nn

torch.manual_seed(51)
x = torch.randn(400, 8)
y = x[:, :1].sin() + x[:, 1:2]
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
saved = copy.deepcopy(model.state_dict())
opt = torch.optim.SGD(model.parameters(), lr=1e-5)
lr, best, curve = 1e-5, float("inf"), []
while lr < 10:
    for g in opt.param_groups:
        g["lr"] = lr
    i = torch.randint(0, 400, (40,))
    loss = nn.functional.mse_loss(model(x[i]), y[i])
    opt.zero_grad()
    loss.backward()
    opt.step()
    curve.append((loss.item(), lr))
    best = min(best, loss.item())
    if loss.item() > 4 * best:
        break
    lr *= 1.2
chosen = min(0.1, min(curve)[1] / 3)
print("rate at the minimum / 3:", chosen)

model.load_state_dict(saved)
opt = torch.optim.SGD(model.parameters(), lr=chosen)
for epoch in range(8):
    for i in torch.randperm(400).split(40):
        loss = nn.functional.mse_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print("epoch", epoch, "loss", loss.item())
result = {"loss": loss.item()}
