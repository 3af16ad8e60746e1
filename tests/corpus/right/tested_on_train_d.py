import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(300, 30)
y = (x[:, 0] + 1.5 * torch.randn(300) > 0).long()
train_set, test_set = TensorDataset(x[:200], y[:200]), TensorDataset(x[200:], y[200:])
train_loader = DataLoader(train_set, batch_size=20, shuffle=True)
test_loader = DataLoader(test_set, batch_size=50)
net = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 2))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(15):
    net.train()
    for a, b in train_loader:
        opt.zero_grad()
        nn.functional.cross_entropy(net(a), b).backward()
        opt.step()
net.eval()
correct, total = 0, 0
with torch.no_grad():
    for a, b in test_loader:
        correct += (net(a).argmax(1) == b).sum().item()
        total += b.size(0)
print(f"Test accuracy: {100 * correct / total:.1f}%")
result = {"acc": correct / total}
