"""A labelled and an unlabelled loader, both shuffled and zipped: the rows need not match."""

import itertools

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(91)
y_all = torch.randint(0, 3, (700,))
x_all = 2 * torch.randn(3, 8)[y_all] + torch.randn(700, 8)
labelled = DataLoader(TensorDataset(x_all[:60], y_all[:60]), batch_size=20, shuffle=True)
unlabelled = DataLoader(TensorDataset(x_all[60:500]), batch_size=44, shuffle=True)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(6):
    for (x, y), (u,) in zip(itertools.cycle(labelled), unlabelled):
        with torch.no_grad():
            confidence, pseudo = (model(u + 0.1 * torch.randn_like(u))).softmax(1).max(1)
        strong = F.cross_entropy(model(u + 0.5 * torch.randn_like(u)), pseudo, reduction="none")
        loss = F.cross_entropy(model(x), y) + (strong * (confidence > 0.9)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        accuracy = (model(x_all[500:]).argmax(1) == y_all[500:]).float().mean().item()
    print(f"epoch {epoch} accuracy {accuracy:.3f}")
result = {"accuracy": accuracy}
