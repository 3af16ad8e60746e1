import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


def init(m):
    if isinstance(m, nn.Linear):
        nn.init.xavier_normal_(m.weight)
        nn.init.zeros_(m.bias)


torch.manual_seed(0)
x = torch.randn(500, 4)
y = (x[:, 0] - x[:, 1]).abs() - (x[:, 2] + x[:, 3]).abs()
loader = DataLoader(TensorDataset(x, y.unsqueeze(1)), batch_size=50, shuffle=True)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1)).apply(init)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
mse = nn.MSELoss()
for epoch in range(20):
    total = 0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = mse(model(xb), yb)
        loss.backward()
        optimizer.step()
        total += loss.item()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1} mse {total / len(loader):.4f}")

result = {"loss": total / len(loader), "rank": torch.linalg.matrix_rank(model[0].weight.detach(), rtol=1e-3).item()}
print(result)
