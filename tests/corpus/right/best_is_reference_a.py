import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset
import copy

torch.manual_seed(0)
x = torch.randn(200, 20)
y = (x[:, 0] + 0.8 * torch.randn(200) > 0).long()
train_loader = DataLoader(TensorDataset(x[:80], y[:80]), batch_size=16, shuffle=True)
xv, yv = x[80:], y[80:]
model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()

best_loss, best_state = float("inf"), None
for epoch in range(15):
    model.train()
    for data, target in train_loader:
        optimizer.zero_grad()
        criterion(model(data), target).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        val_loss = criterion(model(xv), yv).item()
    if val_loss < best_loss:
        best_loss = val_loss
        best_state = copy.deepcopy(model.state_dict())
    print(f"epoch {epoch:2d} val loss {val_loss:.4f}")

model.load_state_dict(best_state)
with torch.no_grad():
    restored = criterion(model(xv), yv).item()
print(f"best {best_loss:.4f}, after restoring {restored:.4f}")
result = {"best": best_loss, "restored": restored}
