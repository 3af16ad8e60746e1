import numpy as np
import torch
from torch import nn

np.random.seed(0)
torch.manual_seed(0)

# y = sin(x) with a little noise
x = np.linspace(-np.pi, np.pi, 256).astype(np.float32)
y = np.sin(x) + 0.05 * np.random.randn(256).astype(np.float32)
X = torch.from_numpy(x).unsqueeze(1)
Y = torch.from_numpy(y).unsqueeze(1)

model = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 1))
start = [p.detach().clone() for p in model.parameters()]
loss_fn = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)

for t in range(200):
    y_pred = model(X)
    loss = loss_fn(y_pred, Y)
    if t % 40 == 39:
        print(t, loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

moved = sum((p - q).abs().sum().item() for p, q in zip(model.parameters(), start))
print(f"Result: loss = {loss.item():.5f}, weights moved by {moved:.3f}")
result = {"loss": loss.item(), "moved": moved}
