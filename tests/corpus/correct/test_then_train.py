"""Each chunk of a stream is tested before it is learned from; the accuracy is that of all chunks so far."""

import torch
from torch import nn

torch.manual_seed(1)
stream = torch.randn(360, 6)
labels = (stream[:, 0] - stream[:, 1] > 0).long()
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
correct = seen = 0
curve = []
for start in range(0, 360, 40):
    x, y = stream[start : start + 40], labels[start : start + 40]
    model.eval()
    with torch.no_grad():
        correct += (model(x).argmax(1) == y).sum().item()
    seen += len(y)
    accuracy = correct / seen
    curve.append(accuracy)
    print(f"after {seen} samples: {accuracy:.4f}")
    model.train()
    for _ in range(4):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
result = {"accuracy": curve[-1]}
