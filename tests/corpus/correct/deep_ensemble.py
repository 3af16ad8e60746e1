"""Five members, five optimizers, each trained on a bootstrap sample; predictions are averaged."""

import torch
from torch import nn, optim

torch.manual_seed(25)
x = torch.rand(150, 1) * 6 - 3
y = x.sin() + 0.1 * torch.randn(150, 1)
members = [nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 1)) for _ in range(5)]
optimizers = [optim.Adam(m.parameters(), lr=0.02) for m in members]
for epoch in range(20):
    for m, o in zip(members, optimizers):
        boot = torch.randint(0, 150, (75,))
        o.zero_grad()
        loss = nn.functional.mse_loss(m(x[boot]), y[boot])
        loss.backward()
        o.step()
    if epoch % 5 == 4:
        print("epoch", epoch + 1, "last member's loss", loss.item())
with torch.no_grad():
    prediction = torch.stack([m(x) for m in members]).mean(0)
result = {"mse": nn.functional.mse_loss(prediction, y).item()}
print(result)
