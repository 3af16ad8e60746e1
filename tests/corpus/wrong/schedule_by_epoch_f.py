import math

import torch
from torch import nn

torch.manual_seed(0)
EPOCHS, BATCH, WARM = 12, 20, 4
x = torch.randn(300, 4)
y = x.prod(1, keepdim=True)
net = nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Linear(16, 1))
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0.0)
total = EPOCHS * len(x) // BATCH


def warm_cosine(step):
    if step < WARM:
        return (step + 1) / (WARM + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - WARM) / (total - WARM)))


scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_cosine)
for epoch in range(EPOCHS):
    for batch in torch.randperm(len(x)).split(BATCH):
        loss = nn.functional.mse_loss(net(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()

result = {"last": optimizer.param_groups[0]["lr"]}
