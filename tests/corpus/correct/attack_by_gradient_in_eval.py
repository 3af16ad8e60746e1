"""Adversarial training: three steps of an attack in eval mode, then an update in train mode."""

import torch
from torch import nn

torch.manual_seed(12)
net = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
x = torch.randn(300, 8)
y = (x[:, 0] > 0).long()


def attack(images, labels, eps=0.2):
    net.eval()
    delta = torch.zeros_like(images, requires_grad=True)
    for _ in range(3):
        loss = nn.functional.cross_entropy(net(images + delta), labels)
        (grad,) = torch.autograd.grad(loss, delta)
        with torch.no_grad():
            delta += eps / 2 * grad.sign()
            delta.clamp_(-eps, eps)
    net.train()
    return (images + delta).detach()


for epoch in range(4):
    for rows in torch.randperm(240).split(24):
        attacked = attack(x[rows], y[rows])
        opt.zero_grad()
        nn.functional.cross_entropy(net(attacked), y[rows]).backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        accuracy = (net(x[240:]).argmax(1) == y[240:]).float().mean().item()
    print(f"epoch {epoch}: {accuracy:.2f}")
result = {"accuracy": accuracy}
