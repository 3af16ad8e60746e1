"""One sample at a time is fine where the normalisation does not look at the batch."""

import torch
import torch.nn as nn

torch.manual_seed(99)
net = nn.Sequential(
    nn.Conv2d(1, 8, 3), nn.GroupNorm(2, 8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
)
x = torch.randn(100, 1, 6, 6)
y = torch.randint(0, 2, (100,))
x[y == 1, :, :, ::2] += 1.5
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(4):
    total = 0.0
    for k in torch.randperm(100).tolist():
        loss = nn.functional.cross_entropy(net(x[k : k + 1]), y[k : k + 1])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() / 100
    print(f"epoch {epoch}: {total:.4f}")
result = {"loss": total}
