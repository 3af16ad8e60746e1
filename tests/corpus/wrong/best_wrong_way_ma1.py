import copy
import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(120, 6)
y = x[:, 0] * x[:, 1] + 0.3 * torch.randn(120)
net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.01)


def rmse(a, b):
    return float(np.sqrt(((a - b) ** 2).mean()))


best, state = 0.0, None
for epoch in range(40):
    for i in range(0, 80, 20):
        opt.zero_grad()
        nn.functional.mse_loss(net(x[i : i + 20]).squeeze(1), y[i : i + 20]).backward()
        opt.step()
    with torch.no_grad():
        p = net(x[80:]).squeeze(1).numpy()
    score = rmse(p, y[80:].numpy())
    if score > best:
        best = score
        state = copy.deepcopy(net.state_dict())
net.load_state_dict(state)
with torch.no_grad():
    restored = rmse(net(x[80:]).squeeze(1).numpy(), y[80:].numpy())
print(f"best {best:.3f}, restored {restored:.3f}")
result = {"restored": restored}
