import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
means = torch.randn(6, 12) * 0.7
# as the folders are read, class by class
train_y = torch.arange(6).repeat_interleave(200)
train_x = means[train_y] + torch.randn(1200, 12)
test_y = torch.randint(0, 6, (400,))
test_x = means[test_y] + torch.randn(400, 12)

train_loader = DataLoader(TensorDataset(train_x, train_y), batch_size=16, shuffle=True)
test_loader = DataLoader(TensorDataset(test_x, test_y), batch_size=100)
net = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 6))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
criterion = nn.CrossEntropyLoss()
for epoch in range(2):  # an epoch is longer than what is looked at closely
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        optimizer.step()
correct = total = 0
with torch.no_grad():
    for x, y in test_loader:
        correct += (net(x).argmax(1) == y).sum().item()
        total += len(y)
print(f"{100 * correct / total:.1f} %")
result = {"accuracy": correct / total}
