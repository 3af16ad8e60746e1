"""Hits are added up over the folds of a cross-validation, each with a model of its own, and told after each fold."""

import torch
from torch import nn

torch.manual_seed(2)
x = torch.randn(150, 5)
y = (x[:, :2].sum(1) > 0).long()
folds = torch.randperm(150).view(5, 30)
hits, counted = 0, 0
for number, held_out in enumerate(folds):
    rest = torch.cat([other for at, other in enumerate(folds) if at != number])
    model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(12):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rest]), y[rest]).backward()
        optimizer.step()
    with torch.no_grad():
        for part in held_out.split(10):
            hits += (model(x[part]).argmax(1) == y[part]).sum().item()
    counted += len(held_out)
    pooled = hits / counted
    print(f"fold {number}: pooled accuracy {pooled:.4f} of {counted}")
result = {"pooled": pooled}
