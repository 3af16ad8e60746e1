"""The printed loss is a running average, as progress bars show it; the validation loss is exact."""

import torch
from torch import nn

torch.manual_seed(106)
x = torch.randn(450, 7)
y = x[:, :3].argmax(1)
net = nn.Sequential(nn.Linear(7, 24), nn.ReLU(), nn.Linear(24, 3))
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
smooth, step = 0.0, 0
for epoch in range(6):
    for i in torch.randperm(350).split(32):
        loss = nn.functional.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        step += 1
        smooth = 0.95 * smooth + 0.05 * loss.item()
    total = 0.0
    with torch.no_grad():
        for k in range(350, 450, 40):
            total += nn.functional.cross_entropy(net(x[k : k + 40]), y[k : k + 40], reduction="sum").item()
    print(f"epoch {epoch} smoothed {smooth / (1 - 0.95**step):.4f} validation {total / 100:.4f}")
result = {"validation": total / 100}
