import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(640, 20)
y = (x[:, :10].sum(1) - x[:, 10:].sum(1) > 0).long()
loader = DataLoader(TensorDataset(x[:512], y[:512]), batch_size=64, shuffle=True)
model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2))
loss_fn = nn.CrossEntropyLoss(reduction="sum")
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(8):
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        held_out = nn.functional.cross_entropy(model(x[512:]), y[512:]).item()
    print(f"Epoch {epoch}: held-out loss {held_out:.4f}")
result = {"loss": held_out}
