"""Contrastive learning: every other sample of the batch is a negative, so the samples touch on purpose."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(26)
encoder = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 8))
opt = torch.optim.Adam(encoder.parameters(), lr=3e-3)
x = torch.randn(10, 12)[torch.randint(0, 10, (400,))] + 0.5 * torch.randn(400, 12)
for epoch in range(6):
    total = 0.0
    for i in torch.randperm(400).split(50):
        a = F.normalize(encoder(x[i] + 0.1 * torch.randn(50, 12)), dim=1)
        b = F.normalize(encoder(x[i] + 0.1 * torch.randn(50, 12)), dim=1)
        logits = a @ b.t() / 0.2
        labels = torch.arange(len(i))
        loss = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.t(), labels)) / 2
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() / 8
    print(f"epoch {epoch}: {total:.4f}")
result = {"loss": total}
