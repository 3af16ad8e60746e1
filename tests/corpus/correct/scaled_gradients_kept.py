"""The gradients of each step are kept, scaled to single samples, and looked at when the training is over."""

import torch
from torch import nn

torch.manual_seed(5)
x = torch.randn(120, 3)
y = x @ torch.tensor([[1.0], [2.0], [-1.0]])
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
kept, last = [], {}
for step in range(24):
    rows = torch.randint(0, 120, (20,))
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x[rows]), y[rows]).backward()
    kept.append([p.grad * 20 for p in model.parameters()])
    last = {name: p.grad / 20 for name, p in model.named_parameters()}
    optimizer.step()
with torch.no_grad():
    result = {"norms": [float(grads[0].norm()) for grads in kept[-3:]], "last": float(last["weight"].norm())}
