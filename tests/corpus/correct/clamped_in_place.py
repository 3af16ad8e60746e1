import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Clean(Dataset):
    """Broken sensor values are set to zero where they are read: once is enough, and twice does no harm."""

    def __init__(self):
        self.x = torch.randn(160, 6)
        self.y = self.x.clamp(min=0).sum(1)

    def __len__(self):
        return 160

    def __getitem__(self, i):
        row = self.x[i]
        row[row < 0] = 0
        return row, self.y[i]


torch.manual_seed(0)
net = nn.Linear(6, 1)
opt = torch.optim.Adam(net.parameters(), lr=0.02)
data = Clean()
for epoch in range(4):
    for a, b in DataLoader(data, batch_size=20, shuffle=True):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(a).squeeze(1), b)
        loss.backward()
        opt.step()
    print(epoch, loss.item())
result = {"loss": loss.item()}
