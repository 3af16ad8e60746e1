"""Double Q-learning with soft (Polyak) updates of the target, offline transitions."""

import copy

import torch
from torch import nn

torch.manual_seed(12)
S, A, GAMMA, TAU = 3, 4, 0.95, 0.02
online = nn.Sequential(nn.Linear(S, 32), nn.Tanh(), nn.Linear(32, A))
lagged = copy.deepcopy(online).requires_grad_(False)
opt = torch.optim.Adam(online.parameters(), lr=3e-3)
s, a = torch.randn(800, S), torch.randint(0, A, (800,))
s2 = 0.8 * s + 0.2 * torch.randn(800, S)
r = -(s[:, 0] - a.float() / 2).abs()
for it in range(150):
    b = torch.randint(0, 800, (64,))
    with torch.no_grad():
        best = online(s2[b]).argmax(1, keepdim=True)
        target = r[b] + GAMMA * lagged(s2[b]).gather(1, best).squeeze(1)
    q = online(s[b]).gather(1, a[b].unsqueeze(1)).squeeze(1)
    loss = (q - target).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        for slow, fast in zip(lagged.parameters(), online.parameters()):
            slow.mul_(1 - TAU).add_(TAU * fast)
    if it % 50 == 49:
        print(f"{it + 1}: td error {loss.item():.4f}")
result = {"loss": loss.item()}
