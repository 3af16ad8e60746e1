import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class TransferModel(nn.Module):
    def __init__(self, backbone, n_classes):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(16, n_classes)

    def forward(self, x):
        return self.head(F.relu(self.backbone(x)))


torch.manual_seed(10)
backbone = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 16))
model = TransferModel(backbone, 3)
for p in model.backbone.parameters():
    p.requires_grad = False

x = torch.randn(360, 12)
y = torch.stack([x[:, 0] * x[:, 1], x[:, 2], -x[:, 3]], 1).argmax(1)
loader = DataLoader(TensorDataset(x, y), batch_size=36, shuffle=True)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
w0 = model.backbone[0].weight.detach().clone()

for epoch in range(8):
    if epoch == 3:
        print("unfreezing the backbone")
        model.backbone.requires_grad = True
    total = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(xb), yb)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(xb)
    print(f"epoch {epoch}: loss {total / len(x):.4f}")

result = {"backbone_moved": (model.backbone[0].weight - w0).norm().item(), "loss": total / len(x)}
