"""Accuracy is to rise, so the mode is max."""

import torch
from torch import nn

torch.manual_seed(104)
x = torch.randn(500, 10)
y = (x[:, 0] - x[:, 1] + 0.5 * torch.randn(500) > 0).long()
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.2)
plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, mode="max", factor=0.5, patience=2)
for epoch in range(12):
    for i in torch.randperm(400).split(40):
        opt.zero_grad()
        nn.functional.cross_entropy(net(x[i]), y[i]).backward()
        opt.step()
    with torch.no_grad():
        accuracy = (net(x[400:]).argmax(1) == y[400:]).float().mean().item()
    plateau.step(accuracy)
    print(f"epoch {epoch} accuracy {accuracy:.3f} lr {opt.param_groups[0]['lr']:.3f}")
result = {"accuracy": accuracy}
