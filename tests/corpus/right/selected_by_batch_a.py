import copy

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(4)
x = torch.randn(300, 16)
y = (x[:, 0] + x[:, 1] + 0.8 * torch.randn(300) > 0).long()
train_loader = DataLoader(TensorDataset(x[:120], y[:120]), batch_size=12, shuffle=True)
xv, yv = x[120:], y[120:]
model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

best_loss = 1e9
for epoch in range(15):
    for inputs, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        val_loss = criterion(model(xv), yv).item()
    if val_loss < best_loss:
        best_loss = val_loss
        best_model = copy.deepcopy(model)
    print(f"epoch {epoch} train {loss.item():.4f} val {val_loss:.4f} best {best_loss:.4f}")

with torch.no_grad():
    result = {"val": criterion(best_model(xv), yv).item()}
print("validation loss of the chosen model", result["val"])
