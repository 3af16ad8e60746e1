import torch
from torch import nn

torch.manual_seed(2)
trunk = nn.Sequential(nn.Linear(6, 32), nn.ReLU())
level, side = nn.Linear(32, 1), nn.Linear(32, 2)
start = level.weight.detach().clone()
params = [*trunk.parameters(), *level.parameters(), *side.parameters()]
optimizer = torch.optim.AdamW(params, lr=5e-3, weight_decay=0.0)
x = torch.randn(300, 6)
levels = 3 + x.sum(1, keepdim=True)
sides = (x[:, 0] > x[:, 1]).long()
for step in range(60):
    optimizer.zero_grad()
    hidden = trunk(x)
    loss_level = nn.functional.mse_loss(level(hidden), levels)
    loss_level.backward(retain_graph=True)
    loss_side = nn.functional.cross_entropy(side(hidden), sides)
    loss_side.backward()
    optimizer.step()
print(loss_level.item(), loss_side.item())

result = {"moved": (level.weight - start).norm().item(), "level": loss_level.item()}
