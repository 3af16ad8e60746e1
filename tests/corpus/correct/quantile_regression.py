"""(B, 1) targets against (B, Q) predictions: one target broadcasts over the quantiles."""

import torch
from torch import nn

torch.manual_seed(86)
taus = torch.tensor([0.1, 0.5, 0.9])
x = torch.rand(500, 1) * 4
y = x.sin() + (0.1 + 0.3 * x / 4) * torch.randn(500, 1)
model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 3))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(12):
    for i in torch.randperm(500).split(50):
        error = y[i] - model(x[i])
        loss = torch.maximum(taus * error, (taus - 1) * error).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 4 == 3:
        print(f"epoch {epoch + 1} pinball loss {loss.item():.4f}")
with torch.no_grad():
    below = (y < model(x)).float().mean(0)
print("share below the quantiles", below.tolist())
result = {"median": below[1].item()}
