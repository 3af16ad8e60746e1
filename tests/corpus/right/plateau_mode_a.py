import torch
import torch.nn as nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(700, 10)
y = (x[:, 0] * x[:, 1] > 0).long()
train_loader = DataLoader(TensorDataset(x[:500], y[:500]), batch_size=50, shuffle=True)
val_loader = DataLoader(TensorDataset(x[500:], y[500:]), batch_size=100)
model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
scheduler = ReduceLROnPlateau(optimizer, "max", factor=0.3, patience=2)

for epoch in range(15):
    model.train()
    for inputs, labels in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
    model.eval()
    correct = 0
    with torch.no_grad():
        for inputs, labels in val_loader:
            correct += (model(inputs).argmax(1) == labels).sum().item()
    val_acc = correct / len(val_loader.dataset)
    scheduler.step(val_acc)
    print(f"epoch {epoch} val acc {val_acc:.3f} lr {optimizer.param_groups[0]['lr']:.2e}")
result = {"rate": optimizer.param_groups[0]["lr"], "accuracy": val_acc}
