import copy

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
data = torch.randn(360, 10)
target = torch.tanh(data[:, :1] * 2) - data[:, 1:2]
train_loader = DataLoader(TensorDataset(data[:240], target[:240]), batch_size=24, shuffle=True)
val_loader = DataLoader(TensorDataset(data[240:], target[240:]), batch_size=60)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.MSELoss()


def evaluate(net):
    net.eval()
    with torch.no_grad():
        return sum(criterion(net(x), y).item() for x, y in val_loader) / len(val_loader)


best = float("inf")
for epoch in range(8):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()
    val_loss = evaluate(model)
    if val_loss < best:
        best = val_loss
        best_weights = copy.deepcopy(model.state_dict())
    print(f"Epoch {epoch + 1}: val loss {val_loss:.4f} (best {best:.4f})")

model.load_state_dict(best_weights)
result = {"kept": evaluate(model)}
