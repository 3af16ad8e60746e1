"""Both accuracies are reported, each under its name."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(96)
x = torch.randn(500, 12)
y = (x[:, 0] + 0.7 * torch.randn(500) > 0).long()
train_loader = DataLoader(TensorDataset(x[:300], y[:300]), batch_size=30, shuffle=True)
test_loader = DataLoader(TensorDataset(x[300:], y[300:]), batch_size=60)
model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)


def check_accuracy(loader, model):
    correct = samples = 0
    model.eval()
    with torch.no_grad():
        for data, target in loader:
            correct += (model(data).argmax(1) == target).sum().item()
            samples += target.size(0)
    model.train()
    return correct / samples


for epoch in range(6):
    for data, target in train_loader:
        loss = nn.functional.cross_entropy(model(data), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(
        f"epoch {epoch}: train {check_accuracy(train_loader, model):.3f} test {check_accuracy(test_loader, model):.3f}"
    )
result = {"gap": check_accuracy(train_loader, model) - check_accuracy(test_loader, model)}
