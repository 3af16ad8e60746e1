import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Scale:
    """Mean 0 and deviation 1 in each column of what it is made for."""

    def __init__(self, table):
        self.mean, self.deviation = table.mean(0), table.std(0)

    def __call__(self, table):
        return (table - self.mean) / self.deviation


torch.manual_seed(6)
days = 20 + 5 * torch.randn(300, 4)
sales = (days[:, :1] - 20) * 0.8 + days[:, 1:2] * 0.1
week = days[:8] + 4  # a hot one
week_sales = (week[:, :1] - 20) * 0.8 + week[:, 1:2] * 0.1
scale = Scale(days)
loader = DataLoader(TensorDataset(scale(days), sales), batch_size=50, shuffle=True)
net = nn.Linear(4, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(6):
    for x, y in loader:
        loss = nn.functional.mse_loss(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    error = (net(Scale(week)(week)) - week_sales).abs().mean().item()
result = {"error": error}
print(result)
