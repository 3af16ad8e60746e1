import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(0)
torch.manual_seed(0)
# rollouts are written into one array and read from it in slices
states = np.zeros((128, 4), dtype=np.float32)
returns = torch.zeros(128)
value = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
opt = torch.optim.Adam(value.parameters(), lr=0.01)
for rollout in range(6):
    s = rng.normal(size=4)
    for t in range(128):
        states[t] = s
        returns[t] = float(s.sum())
        s = 0.9 * s + 0.3 * rng.normal(size=4)
    for i in range(0, 128, 16):
        batch = torch.from_numpy(states[i : i + 16])
        loss = nn.functional.mse_loss(value(batch).squeeze(1), returns[i : i + 16])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(rollout, loss.item())
result = {"loss": loss.item()}
