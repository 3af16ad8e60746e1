"""Two workers whose augmentation uses torch's generator, which each worker seeds for itself."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Jittered(Dataset):
    def __init__(self, n=160):
        g = torch.Generator().manual_seed(0)
        self.x = torch.rand(n, 2, generator=g)
        self.y = self.x.prod(1, keepdim=True)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i] + 0.01 * torch.randn(2), self.y[i]


if __name__ == "__main__":
    torch.manual_seed(60)
    loader = DataLoader(Jittered(), batch_size=16, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True)
    net = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 1))
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(4):
        for x, y in loader:
            loss = nn.functional.mse_loss(net(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
        print("epoch", epoch, "loss", loss.item())
    result = {"loss": loss.item()}
