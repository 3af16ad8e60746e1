import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(40, 1, bias=False)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
x = torch.randn(60, 40)
y = x[:, :2].sum(1, keepdim=True) + 0.3 * torch.randn(60, 1)
for step in range(150):
    l1 = sum(p.abs().sum() for p in model.parameters())
    loss = nn.functional.mse_loss(model(x), y) + 0.2 * l1.item()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

result = {"l1": model.weight.abs().sum().item()}
