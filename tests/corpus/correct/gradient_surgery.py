import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(5, 24), nn.Tanh(), nn.Linear(24, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
x = torch.randn(200, 5)
targets = torch.stack([x[:, 0] + x[:, 1], x[:, 0] - x[:, 1]], 1)


def gradient(loss):
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    return torch.cat([p.grad.flatten().clone() for p in net.parameters()])


for step in range(40):
    out = net(x)
    first, second = (gradient((out[:, k] - targets[:, k]).square().mean()) for k in range(2))
    overlap = first @ second
    if overlap < 0:  # take away what works against the other task
        first, second = first - overlap / (second @ second) * second, second - overlap / (first @ first) * first
    optimizer.zero_grad()
    parts = (first + second).split([p.numel() for p in net.parameters()])
    for p, part in zip(net.parameters(), parts, strict=True):
        p.grad = part.view_as(p).clone()
    optimizer.step()
print((net(x) - targets).square().mean().item())

result = {"loss": (net(x) - targets).square().mean().item()}
