"""Each fold has a model and an optimizer of its own."""

import torch
from torch import nn

torch.manual_seed(23)
X = torch.randn(300, 6)
y = (X[:, 0] + X[:, 1] > 0).long()
K = 5
parts = torch.randperm(300).chunk(K)
scores = []
for k in range(K):
    test_idx = parts[k]
    train_idx = torch.cat([p for j, p in enumerate(parts) if j != k])
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(6):
        for b in train_idx[torch.randperm(len(train_idx))].split(40):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(X[b]), y[b]).backward()
            optimizer.step()
    with torch.no_grad():
        scores.append((model(X[test_idx]).argmax(1) == y[test_idx]).float().mean().item())
    print(f"fold {k}: {scores[-1]:.3f}")
result = {"accuracy": sum(scores) / K}
print("mean accuracy", result["accuracy"])
