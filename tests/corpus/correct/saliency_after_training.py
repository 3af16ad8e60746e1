"""After training, backward is called once more without a step, for a picture of what the network looks at."""

import torch
import torch.nn as nn

torch.manual_seed(72)
x = torch.randn(300, 1, 6, 6)
y = (x[:, 0, 1, 1] > 0).long()
model = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(216, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(5):
    for i in torch.randperm(300).split(30):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "loss", loss.item())

probe = x[:50].clone().requires_grad_()
model(probe)[torch.arange(50), y[:50]].sum().backward()
saliency = probe.grad.abs().mean((0, 1))
row, column = divmod(int(saliency.argmax()), 6)
print("most important pixel:", row, column)
result = {"row": row, "column": column}
