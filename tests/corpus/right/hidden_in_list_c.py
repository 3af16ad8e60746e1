import torch
from torch import nn


class LearnedSteps(nn.Module):
    """Unrolled gradient descent with a trained step size for each step (a small LISTA)."""

    def __init__(self, A, steps=4):
        super().__init__()
        self.register_buffer("A", A)
        self.rates = nn.ParameterList([nn.Parameter(torch.tensor(0.05)) for _ in range(steps)])
        self.threshold = nn.Parameter(torch.tensor(0.1))

    def forward(self, y):
        x = torch.zeros(len(y), self.A.size(1))
        for rate in self.rates:
            x = x - rate * (x @ self.A.t() - y) @ self.A
            x = x - self.threshold * torch.tanh(x) * 0.1
        return x


torch.manual_seed(2)
A = torch.randn(6, 10) / 2
codes = torch.randn(300, 10) * (torch.rand(300, 10) < 0.3)
signals = codes @ A.t()
net = LearnedSteps(A)
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(6):
    for rows in torch.randperm(300).split(30):
        loss = nn.functional.mse_loss(net(signals[rows]), codes[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch}: {loss.item():.4f}")
result = {"moved": abs(net.rates[0].item() - 0.05), "saved": len(net.state_dict())}
print(result)
