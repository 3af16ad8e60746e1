"""A rare class is drawn more often, with replacement: some samples are not seen in an epoch, on purpose."""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

torch.manual_seed(41)
x = torch.randn(600, 5)
y = (x[:, 0] > 1.3).long()
counts = torch.bincount(y[:400])
sampler = WeightedRandomSampler((1.0 / counts)[y[:400]], num_samples=400, replacement=True)
train = DataLoader(TensorDataset(x[:400], y[:400]), batch_size=40, sampler=sampler)
model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(6):
    for xb, yb in train:
        loss = nn.functional.cross_entropy(model(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        pred = model(x[400:]).argmax(1)
    rare = y[400:] == 1
    recall = (pred[rare] == 1).float().mean().item()
    print(f"epoch {epoch} recall of the rare class {recall:.3f}")
result = {"recall": recall}
