"""A GRU that sums a signal."""

import torch
from torch import nn

torch.manual_seed(27)


class Summer(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.out = nn.GRU(2, 10, batch_first=True), nn.Linear(10, 1)

    def forward(self, x):
        return self.out(self.gru(x)[1][-1])


net = Summer()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
x = torch.randn(100, 6, 2)
y = x[:, :, 0].sum(1, keepdim=True)
for step in range(40):
    loss = nn.functional.mse_loss(net(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
with torch.no_grad():
    states = net.gru(x)[0].flatten(0, 1)
result = {"loss": loss.item(), "apart": (states - states[:, :1]).abs().max().item()}
