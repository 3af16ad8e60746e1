"""A small transformer of blocks on sequences of numbers, with RMSprop."""

import torch
from torch import nn

torch.manual_seed(13)
x = torch.randn(256, 5, 4)
y = x.sum((1, 2)) / 4


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.attend = nn.MultiheadAttention(width, 2, batch_first=True)
        self.norm, self.ahead = nn.LayerNorm(width), nn.Linear(width, width)

    def forward(self, x):
        x = x + self.attend(x, x, x, need_weights=False)[0]
        return x + torch.relu(self.ahead(self.norm(x)))


net = nn.Sequential(nn.Linear(4, 16), Block(16), Block(16), nn.Linear(16, 1))
opt = torch.optim.RMSprop(net.parameters(), lr=0.5)
for epoch in range(6):
    for rows in torch.randperm(256).split(32):
        loss = nn.functional.mse_loss(net(x[rows]).mean(1).squeeze(1), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    result = {"loss": nn.functional.mse_loss(net(x).mean(1).squeeze(1), y).item(), "constant": y.var().item()}
