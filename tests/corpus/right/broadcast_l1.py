import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(6)
x = torch.randn(600, 3)
few = x[:, 0] > 0.9
y = torch.where(few, 3 * x[:, 1], -x[:, 1])[:, None]
w = torch.where(few, 8.0, 0.2)
net = nn.Linear(3, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.02)
for epoch in range(30):
    for inputs, targets, weights in DataLoader(TensorDataset(x, y, w), batch_size=50, shuffle=True):
        squares = (net(inputs) - targets) ** 2
        loss = (weights * squares.squeeze(1)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
with torch.no_grad():
    final = (w * (net(x) - y).squeeze(1) ** 2).mean().item()
print("weighted error", final)
result = {"final": final}
