"""A ranking loss over all pairs of a batch: (n, 1) - (1, n) is meant."""

import torch
from torch import nn

torch.manual_seed(18)
docs = torch.randn(300, 7)
relevance = docs[:, 0] + 0.3 * docs[:, 1]
scorer = nn.Sequential(nn.Linear(7, 16), nn.ReLU(), nn.Linear(16, 1))
opt = torch.optim.Adam(scorer.parameters(), lr=5e-3)
for epoch in range(6):
    for idx in torch.randperm(300).split(30):
        s = scorer(docs[idx])
        r = relevance[idx].unsqueeze(1)
        better = (r - r.t() > 0).float()
        margin = s - s.t()
        loss = (nn.functional.softplus(-margin) * better).sum() / better.sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch} pairwise loss {loss.item():.4f}")
result = {"loss": loss.item()}
