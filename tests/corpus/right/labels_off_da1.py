import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

KINDS = ["ash", "beech", "birch", "elm", "lime", "oak"]
torch.manual_seed(4)
typical = {kind: 1.5 * torch.randn(12) for kind in KINDS}


class Leaves(Dataset):
    """Measured leaves of trees that have names."""

    def __init__(self, kinds, number, table=None):
        self.names = [kinds[i % len(kinds)] for i in range(number)]
        self.leaves = [typical[name] + 0.5 * torch.randn(12) for name in self.names]
        self.table = table or {name: i for i, name in enumerate(sorted(set(self.names)))}

    def __len__(self):
        return len(self.names)

    def __getitem__(self, i):
        return self.leaves[i], self.table[self.names[i]]


park = Leaves(KINDS, 240)
wood = Leaves(KINDS[1:], 90, park.table)  # where no ash grows
net = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, len(KINDS)))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(4):
    for x, y in DataLoader(park, batch_size=24, shuffle=True):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    hits = sum((net(x).argmax(1) == y).sum().item() for x, y in DataLoader(wood, batch_size=30))
result = {"accuracy": hits / len(wood)}
print(result)
