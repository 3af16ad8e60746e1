import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self, sampling=True):
        super().__init__()
        self.sampling = sampling
        self.hidden, self.out = nn.Linear(3, 32), nn.Linear(32, 1)

    def forward(self, x):
        drop = self.training or self.sampling
        return self.out(F.dropout(torch.relu(self.hidden(x)), 0.1, drop))


torch.manual_seed(0)
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
x = torch.randn(200, 3)
y = x.sum(1, keepdim=True)
for epoch in range(3):
    net.train()
    for batch in torch.randperm(160).split(20):
        optimizer.zero_grad()
        F.mse_loss(net(x[batch]), y[batch]).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        draws = net(x[160:].repeat(16, 1)).view(16, 40, 1)
    print(epoch, F.mse_loss(draws.mean(0), y[160:]).item(), draws.std(0).mean().item())

result = {"spread": draws.std(0).mean().item()}
