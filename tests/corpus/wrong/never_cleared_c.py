"""A tiny GAN that learns a ring of eight gaussians."""

import math

import torch
from torch import nn

torch.manual_seed(3)
nz = 4


def real_batch(n):
    k = torch.randint(0, 8, (n,))
    angle = 2 * math.pi * k / 8
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(n, 2)


netG = nn.Sequential(nn.Linear(nz, 32), nn.ReLU(), nn.Linear(32, 2))
netD = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
bce = nn.BCEWithLogitsLoss()
optD = torch.optim.Adam(netD.parameters(), lr=2e-3, betas=(0.5, 0.999))
optG = torch.optim.Adam(netG.parameters(), lr=2e-3, betas=(0.5, 0.999))

norms = []
for it in range(150):
    # (1) discriminator: maximize log(D(x)) + log(1 - D(G(z)))
    real = real_batch(64)
    fake = netG(torch.randn(64, nz))
    out_real, out_fake = netD(real), netD(fake.detach())
    err_d = bce(out_real, torch.ones_like(out_real)) + bce(out_fake, torch.zeros_like(out_fake))
    err_d.backward()
    norms.append(torch.cat([p.grad.flatten() for p in netD.parameters()]).norm().item())
    optD.step()

    # (2) generator: maximize log(D(G(z)))
    netG.zero_grad()
    out = netD(fake)
    err_g = bce(out, torch.ones_like(out))
    err_g.backward()
    optG.step()
    if it % 30 == 0:
        print(f"[{it:3d}] Loss_D {err_d.item():.3f} Loss_G {err_g.item():.3f}")

result = {"grad_d": sum(norms[-50:]) / 50}
print(result)
