"""Few-shot learning: distances of all queries to all prototypes broadcast on purpose."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(17)
N_WAY, K_SHOT, N_QUERY = 4, 3, 5
embed = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 8))
opt = torch.optim.Adam(embed.parameters(), lr=5e-3)
accs = []
for episode in range(60):
    means = torch.randn(N_WAY, 1, 10)
    support = means + 0.7 * torch.randn(N_WAY, K_SHOT, 10)
    query = means + 0.7 * torch.randn(N_WAY, N_QUERY, 10)
    prototypes = embed(support).mean(1)
    z = embed(query).reshape(-1, 8)
    dist = ((z[:, None, :] - prototypes[None, :, :]) ** 2).sum(-1)
    target = torch.arange(N_WAY).repeat_interleave(N_QUERY)
    loss = F.cross_entropy(-dist, target)
    opt.zero_grad()
    loss.backward()
    opt.step()
    accs.append((dist.argmin(1) == target).float().mean().item())
    if episode % 20 == 19:
        print(f"episode {episode + 1}: loss {loss.item():.3f} acc {sum(accs[-20:]) / 20:.3f}")
result = {"accuracy": sum(accs[-20:]) / 20}
