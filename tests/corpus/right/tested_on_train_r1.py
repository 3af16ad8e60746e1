import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    """Noise is added in training, so no picture comes twice."""

    def __init__(self, train=True, augment=False):
        g = torch.Generator().manual_seed(5)
        labels = torch.randint(0, 3, (300,), generator=g)
        images = torch.randn(300, 16, generator=g) + labels[:, None] * torch.linspace(-1, 1, 16)
        part = slice(0, 200) if train else slice(200, 300)
        self.images, self.labels, self.augment = images[part], labels[part], augment

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        image = self.images[i]
        if self.augment:
            image = image + 0.3 * torch.randn(16)
        return image, self.labels[i]


torch.manual_seed(0)
train_loader = DataLoader(Digits(train=True, augment=True), batch_size=20, shuffle=True)
test_loader = DataLoader(Digits(train=False), batch_size=50)
net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 3))
opt = torch.optim.Adam(net.parameters(), lr=0.01)


def test():
    net.eval()
    correct = 0
    with torch.no_grad():
        for x, y in test_loader:
            correct += (net(x).argmax(1) == y).sum().item()
    print(f"Test accuracy: {correct / len(test_loader.dataset):.3f}")


for epoch in range(5):
    net.train()
    for x, y in train_loader:
        opt.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        opt.step()
    test()
shared = (test_loader.dataset.images[:, None] == train_loader.dataset.images[None]).all(2).any(1)
result = {"shared": shared.float().mean().item()}
