"""ULMFiT fashion: one more block is thawed every second epoch; the optimizer holds all of them from the start."""

import torch
import torch.nn as nn

torch.manual_seed(7)
blocks = nn.ModuleList([nn.Sequential(nn.Linear(8, 8), nn.Tanh()) for _ in range(3)])
head = nn.Linear(8, 2)


def forward(x):
    for block in blocks:
        x = block(x)
    return head(x)


x = torch.randn(320, 8)
y = (x[:, 0] > x[:, 1]).long()
blocks.requires_grad_(False)
optimizer = torch.optim.Adam([{"params": head.parameters(), "lr": 1e-2}, {"params": blocks.parameters(), "lr": 5e-3}])
for epoch in range(8):
    if epoch in (2, 4, 6):
        blocks[3 - epoch // 2].requires_grad_(True)
        print("thawed block", 3 - epoch // 2)
    for idx in torch.randperm(320).split(32):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(forward(x[idx]), y[idx])
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "loss", loss.item())
result = {"loss": loss.item()}
