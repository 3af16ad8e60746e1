import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(8)
torch.manual_seed(8)
n = 300
moving = rng.integers(0, 2, n)
background = rng.integers(60, 190, (n, 7, 7))
first = background + rng.integers(-4, 5, (n, 7, 7))
second = background + rng.integers(-4, 5, (n, 7, 7))
for k in np.flatnonzero(moving):
    r, c = rng.integers(0, 5, 2)
    second[k, r : r + 3, c : c + 3] += rng.choice([-25, 25])
first, second = first.clip(0, 255).astype(np.uint8), second.clip(0, 255).astype(np.uint8)

difference = np.abs(second - first)
X = torch.tensor(difference.reshape(n, -1), dtype=torch.float32) / 25
y = torch.from_numpy(moving)
net = nn.Sequential(nn.Linear(49, 32), nn.ReLU(), nn.Linear(32, 2))
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(12):
    for rows in torch.randperm(220).split(22):
        loss = nn.functional.cross_entropy(net(X[rows]), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 4 == 3:
        print(f"epoch {epoch + 1} loss {loss.item():.4f}")
with torch.no_grad():
    accuracy = (net(X[220:]).argmax(1) == y[220:]).float().mean().item()
print("motion found with accuracy", accuracy)
result = {"accuracy": accuracy}
