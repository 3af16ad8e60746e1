import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Framed(Dataset):
    """The border of each picture is set to zero where it lies: once or ten times, the picture is the same."""

    def __init__(self, n):
        self.x = torch.rand(n, 1, 6, 6)
        self.y = self.x[:, :, 1:5, 1:5].mean((1, 2, 3))

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        x = self.x[i]
        x[:, :1] = 0
        x[:, 5:] = 0
        return x, self.y[i]


torch.manual_seed(0)
data = Framed(160)
net = nn.Sequential(nn.Flatten(), nn.Linear(36, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(4):
    for x, y in DataLoader(data, batch_size=20, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x).squeeze(1), y)
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
result = {"loss": loss.item()}
