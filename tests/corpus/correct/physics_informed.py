"""A differential equation as loss: u'' = -u, with derivatives from autograd.grad inside the loss."""

import torch
from torch import nn

torch.manual_seed(63)
u = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 1))
opt = torch.optim.Adam(u.parameters(), lr=0.01)
for it in range(150):
    t = (torch.rand(40, 1) * 3).requires_grad_(True)
    out = u(t)
    du = torch.autograd.grad(out.sum(), t, create_graph=True)[0]
    ddu = torch.autograd.grad(du.sum(), t, create_graph=True)[0]
    t0 = torch.zeros(1, 1, requires_grad=True)
    u0 = u(t0)
    v0 = torch.autograd.grad(u0.sum(), t0, create_graph=True)[0]
    loss = (ddu + out).pow(2).mean() + (u0 - 1).pow(2).sum() + v0.pow(2).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 50 == 49:
        print(f"{it + 1}: residual {loss.item():.5f}")
result = {"loss": loss.item()}
