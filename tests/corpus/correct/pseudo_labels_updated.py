"""Stored labels are cleaned on purpose between the epochs: confident predictions replace them."""

import torch
import torch.nn as nn

torch.manual_seed(94)
truth = torch.randint(0, 2, (400,))
x = torch.randn(400, 6) + 1.5 * truth[:, None]
labels = torch.where(torch.rand(400) < 0.2, 1 - truth, truth)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(8):
    for i in torch.randperm(400).split(40):
        loss = nn.functional.cross_entropy(model(x[i]), labels[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        confidence, guess = model(x).softmax(1).max(1)
    sure = confidence > 0.7
    if epoch >= 3:
        labels[sure] = guess[sure]
    print(f"epoch {epoch} loss {loss.item():.3f} labels that are right {(labels == truth).float().mean().item():.3f}")
result = {"right": (labels == truth).float().mean().item()}
