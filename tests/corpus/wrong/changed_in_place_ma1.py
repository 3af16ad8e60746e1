import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)


class Jitter(Dataset):
    def __init__(self, signals, labels, sigma):
        self.signals, self.labels, self.sigma = signals, labels, sigma
        self.rng = np.random.default_rng(0)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        s = self.signals[i]
        s += self.rng.normal(0, self.sigma, s.shape)
        return torch.tensor(s, dtype=torch.float32), int(self.labels[i])


rng = np.random.default_rng(1)
labels = rng.integers(0, 3, 150)
signals = np.sin(np.arange(32)[None] * (labels[:, None] + 1) / 8) + 0.1 * rng.normal(size=(150, 32))
before = signals.copy()
loader = DataLoader(Jitter(signals, labels, 0.2), batch_size=25, shuffle=True)
net = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(8):
    for a, b in loader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(a), b)
        loss.backward()
        opt.step()
    print(epoch, loss.item())
result = {"drift": float(np.abs(signals - before).max())}
