import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Measurements(Dataset):
    def __init__(self, values, labels):
        self.values, self.labels = values, labels
        self.mean, self.std = values.mean(0), values.std(0)

    def __getitem__(self, index):
        sample = self.values[index]
        sample -= self.mean
        sample /= self.std
        return sample, self.labels[index]

    def __len__(self):
        return len(self.values)


torch.manual_seed(0)
raw = 5 + 2 * torch.randn(300, 6)
labels = (raw[:, 0] - raw[:, 1] > 0).long()
loader = DataLoader(Measurements(raw, labels), batch_size=30, shuffle=True)
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(5):
    seen = []
    for x, y in loader:
        loss = nn.functional.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        seen.append(x.mean().item())
    print(f"epoch {epoch}: loss {loss.item():.4f}, mean of the inputs {sum(seen) / len(seen):+.3f}")
result = {"last_mean": sum(seen) / len(seen), "loss": loss.item()}
