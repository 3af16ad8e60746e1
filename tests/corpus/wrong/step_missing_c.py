import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
images = torch.randn(300, 1, 6, 6)
labels = (images[:, 0, 2:4, 2:4].sum((1, 2)) > 0).long()
loader = DataLoader(TensorDataset(images, labels), batch_size=30, shuffle=True)
net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
initial = net[0].weight.detach().clone()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
accumulate = 16
for epoch in range(8):
    for i, (x, y) in enumerate(loader):
        loss = nn.functional.cross_entropy(net(x), y) / accumulate
        loss.backward()
        if (i + 1) % accumulate == 0:
            optimizer.step()
            optimizer.zero_grad()
    print(f"epoch {epoch}: {loss.item() * accumulate:.4f}")
result = {"moved": (net[0].weight - initial).norm().item()}
