import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(200, 6)
y = 10 * x[:, :1].sin()
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
longest = 0.0
for step in range(60):
    rows = torch.randint(0, 200, (20,))
    net.zero_grad()
    loss = nn.functional.mse_loss(net(x[rows]), y[rows])
    loss.backward()
    before = torch.cat([p.detach().flatten() for p in net.parameters()])
    for p in net.parameters():
        p.data.add_(p.grad, alpha=-0.02)
    torch.nn.utils.clip_grad_norm_(net.parameters(), 0.25)
    after = torch.cat([p.detach().flatten() for p in net.parameters()])
    longest = max(longest, (after - before).norm().item())
result = {"longest": longest}
