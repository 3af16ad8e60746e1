import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Pictures(Dataset):
    def __init__(self, images, labels, transform=None):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        image = self.images[i]
        if self.transform is not None:
            image = self.transform(image)
        return image, self.labels[i]


def normalize(image):
    return (image - 0.5) / 0.1


torch.manual_seed(0)
pattern = torch.rand(4, 1, 6, 6)
labels = torch.randint(0, 4, (500,))
images = (0.6 * pattern[labels] + 0.4 * torch.rand(500, 1, 6, 6)).clamp(0, 1)
train_loader = DataLoader(Pictures(images[:380], labels[:380], normalize), batch_size=38, shuffle=True)
test_loader = DataLoader(Pictures(images[380:], labels[380:]), batch_size=60)
net = nn.Sequential(nn.Flatten(), nn.Linear(36, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
for epoch in range(4):
    net.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    net.eval()
    total = 0.0
    with torch.no_grad():
        for x, y in test_loader:
            total += nn.functional.cross_entropy(net(x), y, reduction="sum").item()
    print(epoch, total / len(test_loader.dataset))
result = {"loss": total / len(test_loader.dataset)}
