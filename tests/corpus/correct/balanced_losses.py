import torch
from torch import nn

torch.manual_seed(0)
body, near, far = nn.Linear(6, 24), nn.Linear(24, 1), nn.Linear(24, 1)
optimizer = torch.optim.Adam([*body.parameters(), *near.parameters(), *far.parameters()], lr=5e-3)
x = torch.randn(200, 6)
small, large = x[:, :1], 100 * x[:, 1:2]
for step in range(50):
    hidden = torch.tanh(body(x))
    first = nn.functional.mse_loss(near(hidden), small)
    second = nn.functional.mse_loss(far(hidden), large)
    loss = first + second * (first.item() / second.item())  # each counts as much as the other
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(first.item(), second.item())

result = {"first": first.item(), "second": second.item()}
