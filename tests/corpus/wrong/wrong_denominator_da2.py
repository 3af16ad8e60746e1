import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(7)
points = torch.rand(700, 2) * 4 - 2
rings = (points.square().sum(1) < 1.5).long()
train = DataLoader(TensorDataset(points[:400], rings[:400]), batch_size=50, shuffle=True)
test = DataLoader(TensorDataset(points[400:], rings[400:]), batch_size=128)
net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))
opt = torch.optim.Adam(net.parameters(), lr=0.01)


@torch.no_grad()
def accuracy(loader):
    hits = sum((net(x).argmax(1) == y).sum().item() for x, y in loader)
    return 100.0 * hits / (len(loader) * loader.batch_size)


for epoch in range(6):
    for x, y in train:
        loss = nn.functional.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch} loss {loss.item():.3f} accuracy {accuracy(test):.2f}%")
result = {"accuracy": accuracy(test)}
