"""A corrupt batch gives a loss that is not finite; it is counted and skipped."""

import torch
from torch import nn

torch.manual_seed(73)
x = torch.randn(400, 6)
x[37] = float("nan")
y = x.nan_to_num()[:, :1]
net = nn.Linear(6, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
skipped = 0
for epoch in range(4):
    total = count = 0.0
    for i in torch.randperm(400).split(40):
        loss = nn.functional.mse_loss(net(x[i]), y[i])
        if not torch.isfinite(loss):
            skipped += 1
            continue
        opt.zero_grad()
        loss.backward()
        opt.step()
        total, count = total + loss.item() * len(i), count + len(i)
    print(f"epoch {epoch} loss {total / count:.5f}, skipped so far {skipped}")
result = {"loss": total / count, "skipped": skipped}
