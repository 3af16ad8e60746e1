"""A cubic fitted by hand: features, a linear layer, and an update written out at the end of each round."""

import torch
from torch import nn

torch.manual_seed(43)


def batch(size=32):
    x = torch.rand(size) * 2 - 1
    return torch.stack([x, x**2, x**3], dim=1), (0.5 - 2 * x + 3 * x**3).unsqueeze(1)


layer = nn.Linear(3, 1)
losses = []
for round_ in range(200):
    features, wanted = batch()
    layer.zero_grad()
    loss = nn.functional.mse_loss(layer(features), wanted)
    loss.backward()
    for weight in layer.parameters():
        weight.data -= 0.2 * weight.grad
    losses.append(loss.item())
    if round_ % 50 == 0:
        print(f"round {round_} loss {losses[-1]:.4f}")
result = {"loss": sum(losses[-10:]) / 10}
