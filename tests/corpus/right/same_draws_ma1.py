import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)


class Noisy(Dataset):
    def __init__(self, x, y):
        self.x, self.y = x, y
        self.rng = np.random.default_rng(0)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        rng = self.rng
        noise = rng.normal(size=self.x.shape[1]).astype("float32") * 0.3
        return torch.from_numpy(self.x[i] + noise), self.y[i]


r = np.random.default_rng(1)
x = r.normal(size=(240, 6)).astype("float32")
y = (x[:, 0] > x[:, 1]).astype("int64")
loader = DataLoader(Noisy(x, y), batch_size=24, shuffle=True)
net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(8):
    for a, b in loader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(a), b)
        loss.backward()
        opt.step()
    print(epoch, loss.item())
noise = torch.stack([loader.dataset[0][0] - torch.from_numpy(x[0]) for _ in range(20)])
result = {"spread": noise.std(0).mean().item()}
