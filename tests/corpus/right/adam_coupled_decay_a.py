import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(300, 20)
y = (x[:, 0] + 0.5 * torch.randn(300) > 0).long()
loader = DataLoader(TensorDataset(x[:200], y[:200]), batch_size=20, shuffle=True)
model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
for epoch in range(15):
    for data, label in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(data), label)
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1} loss {loss.item():.4f}")
norm = sum(p.norm().item() ** 2 for p in model.parameters()) ** 0.5
print("weight norm", norm)
result = {"norm": norm}
