import torch
import torch.nn as nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset


class OneSpecies(Dataset):
    def __init__(self, label, n, seed):
        g = torch.Generator().manual_seed(seed)
        centre = torch.randn(8, generator=torch.Generator().manual_seed(label)) * 0.8
        self.x = centre + torch.randn(n, 8, generator=g)
        self.label = label

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.label


torch.manual_seed(0)
train_set = ConcatDataset([OneSpecies(k, 100, seed=10 + k) for k in range(3)])
test_set = ConcatDataset([OneSpecies(k, 50, seed=20 + k) for k in range(3)])
loader = DataLoader(train_set, batch_size=20, shuffle=True)
net = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 3))
sgd = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.5)
for epoch in range(4):
    for x, y in loader:
        sgd.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        sgd.step()
    with torch.no_grad():
        hits = sum((net(x).argmax(1) == y).sum().item() for x, y in DataLoader(test_set, batch_size=75))
    print(f"epoch {epoch} accuracy {hits / len(test_set):.3f}")
result = {"accuracy": hits / len(test_set)}
