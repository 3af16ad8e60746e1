import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
A = torch.randn(30, 30) / 5
X = torch.randn(240, 30) * torch.logspace(-1.5, 0.5, 30)
Y = torch.tanh(X @ A)
dl = DataLoader(TensorDataset(X, Y), batch_size=120, shuffle=True)
model = nn.Sequential(nn.Linear(30, 64), nn.Tanh(), nn.Linear(64, 30))
optimizer = torch.optim.Adam(model.parameters(), lr=0.03)

for epoch in range(40):
    total = 0.0
    for xb, yb in dl:
        loss = nn.functional.mse_loss(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1}: train loss {total / len(dl):.5f}")

result = {"loss": total / len(dl)}
