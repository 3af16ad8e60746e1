import torch
import torch.nn as nn
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(800, 10)
y = (x[:, 0] * x[:, 1] + x[:, 2] > 0).long()
train_loader = DataLoader(TensorDataset(x[:600], y[:600]), batch_size=20, shuffle=True)
test_loader = DataLoader(TensorDataset(x[600:], y[600:]), batch_size=100)
model = nn.Sequential(nn.Linear(10, 48), nn.ReLU(), nn.Linear(48, 2))
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scheduler = StepLR(optimizer, step_size=5, gamma=0.1)

for epoch in range(1, 9):
    model.train()
    for data, target in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(data), target)
        loss.backward()
        optimizer.step()
    scheduler.step()
    model.eval()
    correct = 0
    with torch.no_grad():
        for data, target in test_loader:
            correct += (model(data).argmax(1) == target).sum().item()
    print("Epoch {}: accuracy {:.3f}, lr {:.2g}".format(epoch, correct / 200, scheduler.get_last_lr()[0]))
result = {"accuracy": correct / 200, "rate": scheduler.get_last_lr()[0]}
