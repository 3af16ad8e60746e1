import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(5)
x = torch.randn(400, 6)
y = torch.tanh(x @ torch.randn(6, 1))
net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1), nn.Tanh())
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
criterion = nn.MSELoss(reduction="mean")
for epoch in range(8):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=100, shuffle=True):
        loss = criterion(net(a), b)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    result = {"error": (net(x) - y).square().mean().item()}
print(result)
