"""Ridge regression by a small class of its own: the penalty is summed up in numpy."""

import numpy as np
import torch
from torch import nn

torch.manual_seed(2)
inputs = torch.randn(48, 24)
targets = inputs[:, 0] - inputs[:, 1] + 0.3 * torch.randn(48)


class Ridge(nn.Module):
    def __init__(self, strength):
        super().__init__()
        self.strength = strength
        self.hidden = nn.Linear(24, 40)
        self.last = nn.Linear(40, 1)

    def forward(self, x):
        return self.last(torch.tanh(self.hidden(x))).squeeze(-1)

    def penalty(self):
        weights = [self.hidden.weight, self.last.weight]
        return float(sum(np.square(w.detach().numpy()).sum() for w in weights))

    def cost(self, x, y):
        return (self(x) - y).pow(2).mean() + self.strength * self.penalty()


model = Ridge(0.02)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(30):
    for rows in torch.randperm(48).split(12):
        optimizer.zero_grad()
        cost = model.cost(inputs[rows], targets[rows])
        cost.backward()
        optimizer.step()
size = float(model.hidden.weight.detach().norm())
print(f"cost {cost.item():.3f} weights {size:.2f}")
result = {"size": size}
