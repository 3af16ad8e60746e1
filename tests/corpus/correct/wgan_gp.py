"""Wasserstein GAN with gradient penalty: five critic steps to one generator step, create_graph in the penalty."""

import torch
from torch import nn

torch.manual_seed(2)


def gradient_penalty(critic, real, fake):
    eps = torch.rand(real.size(0), 1)
    mixed = (eps * real + (1 - eps) * fake).requires_grad_(True)
    (grad,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
    return ((grad.norm(dim=1) - 1) ** 2).mean()


def real_batch(n):
    return torch.randn(n, 2) * 0.2 + torch.tensor([1.0, -1.0]) * torch.randint(0, 2, (n, 1)).mul(2).sub(1)


G = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
D = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
g_opt = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.0, 0.9))
d_opt = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.0, 0.9))
for it in range(30):
    for _ in range(5):
        real, fake = real_batch(64), G(torch.randn(64, 4)).detach()
        d_loss = D(fake).mean() - D(real).mean() + 10 * gradient_penalty(D, real, fake)
        d_opt.zero_grad()
        d_loss.backward()
        d_opt.step()
    for p in D.parameters():
        p.requires_grad_(False)
    g_loss = -D(G(torch.randn(64, 4))).mean()
    g_opt.zero_grad()
    g_loss.backward()
    g_opt.step()
    for p in D.parameters():
        p.requires_grad_(True)
    if it % 10 == 9:
        print(f"iter {it + 1}: critic {d_loss.item():.3f} generator {g_loss.item():.3f}")
result = {"critic": d_loss.item()}
