"""The backbone stays frozen and in eval mode on purpose; only the head is given to the optimizer."""

import torch
import torch.nn as nn

torch.manual_seed(5)
backbone = nn.Sequential(nn.Linear(10, 40), nn.BatchNorm1d(40), nn.ReLU())
for p in backbone.parameters():
    p.requires_grad_(False)
backbone.eval()
head = nn.Linear(40, 3)
optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
x = torch.randn(400, 10)
y = x[:, :3].argmax(1)
for epoch in range(8):
    head.train()
    for i in torch.randperm(300).split(30):
        with torch.no_grad():
            features = backbone(x[i])
        loss = nn.functional.cross_entropy(head(features), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    head.eval()
    with torch.no_grad():
        accuracy = (head(backbone(x[300:])).argmax(1) == y[300:]).float().mean().item()
    print(f"epoch {epoch}: {accuracy:.3f}")
result = {"accuracy": accuracy}
