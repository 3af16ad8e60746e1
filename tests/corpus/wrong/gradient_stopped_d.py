import numpy as np
import torch

torch.manual_seed(1)
rng = np.random.default_rng(1)
X = torch.from_numpy(rng.uniform(-2, 2, (200, 1))).float()
Y = X**3 - 2 * X

lin1 = torch.nn.Linear(1, 12)
lin2 = torch.nn.Linear(12, 1)
first = lin1.weight.data.clone()
params = list(lin1.parameters()) + list(lin2.parameters())
opt = torch.optim.Adam(params, lr=0.02)
for i in range(400):
    pre = lin1(X)
    hidden = torch.from_numpy(np.maximum(pre.data.numpy(), 0))
    loss = ((lin2(hidden) - Y) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if (i + 1) % 100 == 0:
        print("iteration", i + 1, "mse", round(loss.item(), 5))

result = {"mse": loss.item(), "first_layer_moved": (lin1.weight.data - first).abs().max().item()}
