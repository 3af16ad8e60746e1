"""Multidimensional scaling: place points in the plane so that their distances match."""

import torch

torch.manual_seed(5)
truth = torch.randn(20, 2)


def pairwise(p):
    squared = (p[:, None] - p[None, :]).pow(2).sum(-1)
    return (squared + 1e-9).sqrt()


target = pairwise(truth).detach()
layout = torch.randn(20, 2, requires_grad=True)
opt = torch.optim.Adam([layout], lr=0.05)
for it in range(200):
    opt.zero_grad()
    stress = (pairwise(layout) - target).pow(2).mean()
    stress.backward()
    opt.step()
    if it % 50 == 0:
        print(f"{it:3d} stress {stress.item():.4f}")
result = {"stress": stress.item()}
print(result)
