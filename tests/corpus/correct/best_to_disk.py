"""The best weights go to a file at once, so no copy is needed; the score is minus the loss, higher is better."""

import os
import tempfile

import torch
from torch import nn

torch.manual_seed(101)
x = torch.randn(240, 14)
y = x[:, :1] + torch.randn(240, 1)
net = nn.Sequential(nn.Linear(14, 64), nn.ReLU(), nn.Linear(64, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
best_score = -float("inf")
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "best.pt")
    for epoch in range(12):
        for i in torch.randperm(120).split(20):
            opt.zero_grad()
            nn.functional.mse_loss(net(x[i]), y[i]).backward()
            opt.step()
        with torch.no_grad():
            score = -nn.functional.mse_loss(net(x[120:]), y[120:]).item()
        if score > best_score:
            best_score = score
            torch.save(net.state_dict(), path)
        print(f"epoch {epoch} score {score:.4f} best {best_score:.4f}")
    net.load_state_dict(torch.load(path))
result = {"best": best_score}
