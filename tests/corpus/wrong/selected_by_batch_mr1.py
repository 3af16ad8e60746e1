import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(2)
noise = torch.randn(200, 4)
score = noise.sum(1, keepdim=True) + 0.8 * torch.randn(200, 1)
fit_loader = DataLoader(TensorDataset(noise[:80], score[:80]), batch_size=16, shuffle=True)
val_loader = DataLoader(TensorDataset(noise[80:], score[80:]), batch_size=38)
net = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
criterion = nn.MSELoss()


def validation_loss():
    net.eval()
    with torch.no_grad():
        total = sum(criterion(net(x), y) * len(y) for x, y in val_loader)
    return total / len(val_loader.dataset)


lowest, chosen = float("inf"), None
seen = []
for epoch in range(12):
    net.train()
    for x, y in fit_loader:
        optimizer.zero_grad()
        criterion(net(x), y).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        for x, y in val_loader:
            val_loss = criterion(net(x), y)
    whole = validation_loss()
    seen.append(whole.item())
    current = val_loss.item()
    if current < lowest:
        lowest = current
        chosen = copy.deepcopy(net)
    print(epoch, f"{current:.4f}")
net = chosen
result = {"kept": validation_loss().item(), "best": min(seen)}
