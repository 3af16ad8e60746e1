"""Random flips and noise in training alone; both sets are scaled alike, from bytes."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Pictures(Dataset):
    def __init__(self, images, labels, train):
        self.images, self.labels, self.train = images, labels, train

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        img = self.images[i].float().div(255).sub(0.5)
        if self.train:
            if torch.rand(()) < 0.5:
                img = img.flip(-1)
            img = img + 0.05 * torch.randn_like(img)
        return img, self.labels[i]


torch.manual_seed(95)
labels = torch.randint(0, 2, (400,))
images = torch.randint(0, 120, (400, 1, 6, 6))
images[labels == 0, :, :3] += 100
images[labels == 1, :, 3:] += 100
images = images.to(torch.uint8)
train_loader = DataLoader(Pictures(images[:300], labels[:300], True), batch_size=30, shuffle=True)
test_loader = DataLoader(Pictures(images[300:], labels[300:], False), batch_size=50)
net = nn.Sequential(nn.Flatten(), nn.Linear(36, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
for epoch in range(4):
    for x, y in train_loader:
        loss = nn.functional.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        hits = sum((net(x).argmax(1) == y).sum().item() for x, y in test_loader)
    print(f"epoch {epoch} accuracy {hits / 100:.2f}")
result = {"accuracy": hits / 100}
