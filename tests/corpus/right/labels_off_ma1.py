import numpy as np
import torch
from torch import nn

torch.manual_seed(1)
rng = np.random.default_rng(1)
stars = torch.from_numpy(rng.integers(1, 6, 500))
x = torch.cat([stars[:, None] + 0.4 * torch.randn(500, 1), torch.randn(500, 5)], 1)
net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 5))
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(30):
    for i in range(0, 400, 40):
        opt.zero_grad()
        nn.functional.cross_entropy(net(x[i : i + 40]), stars[i : i + 40] - 1).backward()
        opt.step()
net.eval()
preds, truth = [], []
with torch.no_grad():
    for i in range(400, 500, 25):
        preds += net(x[i : i + 25]).argmax(dim=1).tolist()
        truth += (stars[i : i + 25] - 1).tolist()
accuracy = sum(p == t for p, t in zip(preds, truth)) / len(truth)
print("test accuracy", accuracy)
result = {"accuracy": accuracy}
