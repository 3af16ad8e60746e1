import torch
from torch import nn

torch.manual_seed(3)
# houses as the register lists them: by price
area, rooms = torch.rand(600) * 3, torch.randint(1, 6, (600,)).float()
price = area**1.5 + 0.3 * rooms + 0.1 * torch.randn(600)
train, test = slice(0, 480), slice(480, 600)
listed = price[train].argsort()
x = torch.stack([area[train][listed] / 3, rooms[train][listed] / 5], 1)
y = (price[train][listed] - price.mean())[:, None]
net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(8):
    order = torch.randperm(480)
    for i in order.split(24):
        loss = nn.functional.mse_loss(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    guess = net(torch.stack([area[test] / 3, rooms[test] / 5], 1))[:, 0] + price.mean()
result = {"error": (guess - price[test]).square().mean().item()}
print(result)
