import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, get_worker_info


class NoisyCurve(Dataset):
    """Points of a parabola, jittered afresh at every visit."""

    def __init__(self, n):
        self.x = np.linspace(-1, 1, n, dtype=np.float32)
        self.rng = np.random.default_rng(0)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        jitter = np.float32(0.05 * self.rng.standard_normal())
        return self.x[i] + jitter, self.x[i] ** 2, jitter


if __name__ == "__main__":
    torch.manual_seed(0)
    loader = DataLoader(NoisyCurve(128), batch_size=16, shuffle=True, num_workers=2)
    net = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
    opt = torch.optim.Adam(net.parameters(), lr=0.02)
    jitters = []
    for epoch in range(2):
        for x, y, jitter in loader:
            loss = nn.functional.mse_loss(net(x[:, None]), y[:, None])
            opt.zero_grad()
            loss.backward()
            opt.step()
            jitters += jitter.tolist()
        print(f"epoch {epoch} loss {loss.item():.4f}")
    result = {"distinct": len(set(jitters))}
    print("distinct jitters:", result["distinct"], "of", len(jitters))
