import torch
from torch import nn


def clip(params, limit):
    norm = torch.sqrt(sum((p.grad**2).sum() for p in params))
    if norm > limit:
        for p in params:
            p.grad.mul_(limit / norm)


def longest(before, after):
    return torch.sqrt(sum((a - b).square().sum() for a, b in zip(after, before, strict=True))).item()


torch.manual_seed(0)
net, out = nn.GRU(2, 12, batch_first=True), nn.Linear(12, 1)
params = [*net.parameters(), *out.parameters()]
optimizer = torch.optim.SGD(params, lr=0.01)
x = torch.rand(40, 10, 2)
y = 10 * (x[..., 0] * x[..., 1]).sum(1, keepdim=True)
strides = []
for step in range(30):
    before = [p.detach().clone() for p in params]
    optimizer.zero_grad()
    loss = (out(net(x)[0][:, -1]) - y).pow(2).mean()
    loss.backward()
    optimizer.step()
    clip(params, 1.0)
    strides.append(longest(before, [p.detach() for p in params]))
print(loss.item())

result = {"stride": max(strides)}
