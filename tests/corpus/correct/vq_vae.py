"""Vector quantisation: z + (q - z).detach(), commitment and codebook losses with detach on opposite sides."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(43)
enc = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 2))
dec = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 8))
codebook = nn.Embedding(8, 2)
params = [*enc.parameters(), *dec.parameters(), *codebook.parameters()]
opt = torch.optim.Adam(params, lr=5e-3)
clusters = torch.randn(6, 8)
x = clusters[torch.randint(0, 6, (500,))] + 0.1 * torch.randn(500, 8)
for epoch in range(8):
    for i in torch.randperm(500).split(50):
        z = enc(x[i])
        code = torch.cdist(z, codebook.weight).argmin(1)
        q = codebook(code)
        recon = dec(z + (q - z).detach())
        loss = F.mse_loss(recon, x[i]) + F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(z, q.detach())
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch} loss {loss.item():.4f} codes used {len(code.unique())}")
result = {"loss": loss.item()}
