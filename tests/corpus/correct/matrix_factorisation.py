"""Alternating updates: users are trained while items stand still, and the other way round."""

import torch

torch.manual_seed(64)
R = torch.randn(30, 3) @ torch.randn(3, 25)
seen = torch.rand(30, 25) < 0.5
U, V = torch.nn.Parameter(0.3 * torch.randn(30, 3)), torch.nn.Parameter(0.3 * torch.randn(25, 3))
opt_u, opt_v = torch.optim.Adam([U], lr=0.05), torch.optim.Adam([V], lr=0.05)
for sweep in range(60):
    for opt in (opt_u, opt_v):
        loss = (U @ V.t() - R)[seen].pow(2).mean() + 1e-3 * (U.pow(2).mean() + V.pow(2).mean())
        opt_u.zero_grad()
        opt_v.zero_grad()
        loss.backward()
        opt.step()
    if sweep % 20 == 19:
        print("sweep", sweep + 1, "loss", loss.item())
result = {"loss": loss.item()}
