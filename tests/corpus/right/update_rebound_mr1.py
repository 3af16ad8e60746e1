import torch
from torch import nn

torch.manual_seed(13)
x = 5 * torch.randn(180, 4)
y = x @ torch.tensor([[3.0], [-2.0], [4.0], [1.0]])
model = nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
limit, used = 0.5, []


def limit_gradients(parameters, limit):
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.clip_(-limit, limit)


for step in range(60):
    rows = torch.randint(0, 180, (30,))
    loss = nn.functional.mse_loss(model(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    limit_gradients(model.parameters(), limit)
    used.append(max(p.grad.abs().max().item() for p in model.parameters()))
    optimizer.step()
print("largest gradient used:", max(used))
result = {"largest": max(used), "limit": limit}
