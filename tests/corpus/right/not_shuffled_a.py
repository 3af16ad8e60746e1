import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
num_classes, per_class = 4, 120
centres = 0.5 * torch.randn(num_classes, 12)


def cloud(n):
    x = torch.cat([c + torch.randn(n, 12) for c in centres])
    return x, torch.arange(num_classes).repeat_interleave(n)


train_x, train_y = cloud(per_class)
test_x, test_y = cloud(50)
train_loader = DataLoader(TensorDataset(train_x, train_y), batch_size=24, shuffle=True)
test_loader = DataLoader(TensorDataset(test_x, test_y), batch_size=100)

model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, num_classes))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
for epoch in range(5):
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    correct = 0
    with torch.no_grad():
        for x, y in test_loader:
            correct += (model(x).argmax(1) == y).sum().item()
    print(f"epoch {epoch}: test accuracy {correct / len(test_y):.3f}")
result = {"accuracy": correct / len(test_y)}
