import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
X = torch.randn(600, 5)
y = X[:, 0] * 2 - X[:, 1] + torch.sin(X[:, 2])
train_loader = DataLoader(TensorDataset(X[:500], y[:500]), batch_size=25, shuffle=True)

model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(6):
    total_loss = 0
    for batch_X, batch_y in train_loader:
        optimizer.zero_grad()
        predictions = model(batch_X)
        loss = criterion(predictions, batch_y.unsqueeze(1))
        loss.backward()
        optimizer.step()
        total_loss += loss.item()
    print(f"Epoch {epoch + 1}, Loss: {total_loss / len(train_loader):.4f}")

with torch.no_grad():
    mse = (model(X[500:]).flatten() - y[500:]).square().mean().item()
print("test mse", mse)
result = {"mse": mse}
