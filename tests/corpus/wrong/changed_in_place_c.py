import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


class Waves(Dataset):
    def __init__(self, n=200, length=16, seed=0):
        rng = np.random.default_rng(seed)
        self.freq = rng.integers(1, 4, size=n)
        grid = np.linspace(0, 2 * np.pi, length)
        self.signal = np.sin(self.freq[:, None] * grid + 0.3).astype("float32")
        self.signal += 0.1 * rng.standard_normal(self.signal.shape).astype("float32")

    def __len__(self):
        return len(self.freq)

    def __getitem__(self, i):
        s = self.signal[i]
        if torch.rand(()) < 0.5:
            s *= -0.8
        return torch.from_numpy(s), int(self.freq[i]) - 1


torch.manual_seed(0)
ds = Waves()
original = ds.signal.copy()
model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Linear(32, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(6):
    running, n = 0.0, 0
    for x, y in DataLoader(ds, batch_size=25, shuffle=True):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running, n = running + loss.item() * len(y), n + len(y)
    print(f"epoch {epoch} loss {running / n:.4f}")
result = {"changed": float((ds.signal != original).any(1).mean()), "loss": running / n}
