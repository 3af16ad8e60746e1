"""Model-agnostic meta-learning: inner steps on fast weights by hand, an outer step through them."""

import math

import torch
import torch.nn.functional as F

torch.manual_seed(3)


def net(x, params):
    w1, b1, w2, b2 = params
    return torch.tanh(x @ w1 + b1) @ w2 + b2


def task():
    amplitude, phase = 0.5 + 2 * torch.rand(1), math.pi * torch.rand(1)

    def sample(n):
        x = torch.rand(n, 1) * 6 - 3
        return x, amplitude * torch.sin(x + phase)

    return sample


meta = [torch.randn(1, 24) * 0.8, torch.zeros(24), torch.randn(24, 1) * 0.2, torch.zeros(1)]
meta = [p.requires_grad_() for p in meta]
opt = torch.optim.Adam(meta, lr=5e-3)
for iteration in range(40):
    outer = 0.0
    for _ in range(4):
        sample = task()
        x, y = sample(10)
        fast = meta
        for _ in range(2):
            inner = F.mse_loss(net(x, fast), y)
            grads = torch.autograd.grad(inner, fast, create_graph=True)
            fast = [p - 0.02 * g for p, g in zip(fast, grads)]
        xq, yq = sample(10)
        outer = outer + F.mse_loss(net(xq, fast), yq)
    opt.zero_grad()
    (outer / 4).backward()
    opt.step()
    if iteration % 10 == 9:
        print("iteration", iteration + 1, "query loss", outer.item() / 4)
result = {"query": outer.item() / 4}
