import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


class Compose:
    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, x):
        for t in self.transforms:
            x = t(x)
        return x


class Normalize:
    def __init__(self, mean, std):
        self.mean, self.std = mean, std

    def __call__(self, x):
        return (x - self.mean) / self.std


def to_tensor(values):
    return torch.as_tensor(values, dtype=torch.float32)


class Spectra(Dataset):
    def __init__(self, spectra, kinds, transform):
        self.spectra, self.kinds, self.transform = spectra, kinds, transform

    def __len__(self):
        return len(self.kinds)

    def __getitem__(self, i):
        return self.transform(self.spectra[i]), self.kinds[i]


torch.manual_seed(0)
kinds = torch.randint(0, 4, (700,))
spectra = (10 + torch.randn(4, 15)[kinds] + 0.7 * torch.randn(700, 15)).tolist()
train_transform = Compose([to_tensor, Normalize(10.0, 1.2)])
test_transform = Compose([to_tensor, Normalize(10.0, 1.2)])
train_set = Spectra(spectra[:500], kinds[:500], train_transform)
test_set = Spectra(spectra[500:], kinds[500:], test_transform)
train_loader = DataLoader(train_set, batch_size=50, shuffle=True)
test_loader = DataLoader(test_set, batch_size=50)

net = nn.Sequential(nn.Linear(15, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(5):
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
    correct = 0
    with torch.no_grad():
        for x, y in test_loader:
            correct += (net(x).argmax(1) == y).sum().item()
    print(f"epoch {epoch} train loss {loss.item():.3f} test accuracy {correct / len(test_set):.3f}")
result = {"accuracy": correct / len(test_set)}
