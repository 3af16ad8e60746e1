import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Scans(Dataset):
    """Pictures in bytes, made brighter one by one, as augmentation."""

    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        self.labels = rng.integers(0, 2, n)
        scans = rng.integers(30, 90, (n, 8, 8))
        scans[self.labels == 1, 2:6, 2:6] += 150
        self.scans = scans.astype(np.uint8)
        self.gains = rng.integers(0, 70, n).astype(np.uint8)

    def __len__(self):
        return len(self.scans)

    def brighter(self, i):
        return self.scans[i] + self.gains[i]

    def __getitem__(self, i):
        return self.brighter(i).astype(np.float32) / 255, self.labels[i]


torch.manual_seed(1)
scans = Scans(192, 1)
net = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.Adam(net.parameters(), lr=0.003)
for epoch in range(3):
    for x, y in DataLoader(scans, batch_size=32, shuffle=True):
        loss = nn.functional.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
darker = [bool((scans.brighter(i) < scans.scans[i]).any()) for i in range(len(scans))]
result = {"wrapped": sum(darker)}
