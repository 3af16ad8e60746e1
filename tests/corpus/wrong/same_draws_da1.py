import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, get_worker_info


class Scaled(Dataset):
    """Short waves, each as loud as chance will have it."""

    def __init__(self, n):
        self.phase = np.linspace(0, 6, n, dtype=np.float32)
        self.time = np.arange(16, dtype=np.float32)
        self.chance = np.random.RandomState(7)

    def __len__(self):
        return len(self.phase)

    def __getitem__(self, i):
        gain = np.float32(self.chance.uniform(0.5, 2))
        return gain * np.sin(self.time / 4 + self.phase[i]), np.cos(self.phase[i]), gain


def seed_worker(worker_id):
    seed = torch.initial_seed() % 2**32
    np.random.seed(seed)


if __name__ == "__main__":
    torch.manual_seed(0)
    loader = DataLoader(Scaled(96), batch_size=16, shuffle=True, num_workers=2, worker_init_fn=seed_worker)
    net = nn.Linear(16, 1)
    opt = torch.optim.Adam(net.parameters(), lr=0.02)
    gains = []
    for epoch in range(2):
        for wave, height, gain in loader:
            loss = nn.functional.mse_loss(net(wave), height[:, None])
            opt.zero_grad()
            loss.backward()
            opt.step()
            gains += gain.tolist()
        print(f"epoch {epoch} loss {loss.item():.4f}")
    result = {"distinct": len(set(gains)), "drawn": len(gains)}
