import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, SubsetRandomSampler


class Noisy(Dataset):
    def __init__(self, train):
        g = torch.Generator().manual_seed(3)
        self.labels = torch.randint(0, 3, (300,), generator=g)
        self.images = torch.randn(300, 9, generator=g) + self.labels[:, None]
        self.train = train

    def __len__(self):
        return 300

    def __getitem__(self, i):
        image = self.images[i]
        return (image + 0.3 * torch.randn(9) if self.train else image), self.labels[i]


torch.manual_seed(0)
order = torch.randperm(300).tolist()
train = DataLoader(Noisy(True), batch_size=20, sampler=SubsetRandomSampler(order[:240]))
valid = DataLoader(Noisy(False), batch_size=20, sampler=SubsetRandomSampler(order[240:]))
check = DataLoader(Noisy(False), batch_size=20, sampler=SubsetRandomSampler(order[:60]))
net = nn.Sequential(nn.Linear(9, 16), nn.ReLU(), nn.Linear(16, 3))
opt = torch.optim.Adam(net.parameters(), lr=0.01)


def score(loader):
    net.eval()
    with torch.no_grad():
        hits = sum((net(a).argmax(1) == b).sum().item() for a, b in loader)
    net.train()
    return hits / 60


for epoch in range(4):
    for a, b in train:
        opt.zero_grad()
        nn.functional.cross_entropy(net(a), b).backward()
        opt.step()
    print("train", score(check), "valid", score(valid))
result = {"valid": score(valid)}
