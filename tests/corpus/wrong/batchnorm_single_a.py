import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
level = torch.randn(160, 1, 1, 1) * 3  # each photograph has its own exposure
kind = torch.randint(0, 2, (160,))
stripes = torch.sin(torch.arange(8) * 2.0).view(1, 1, 1, 8).expand(160, 1, 8, 8)
photos = (
    torch.where(kind.view(-1, 1, 1, 1) == 0, stripes, stripes.transpose(2, 3)) + level + 0.3 * torch.randn(160, 1, 8, 8)
)

loader = DataLoader(TensorDataset(photos, kind), batch_size=1, shuffle=True)
model = nn.Sequential(
    nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
epochs = 2
criterion = nn.CrossEntropyLoss()
for epoch in range(epochs):
    model.train()
    train_loss = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        train_loss += loss.item()
    model.eval()
    with torch.no_grad():
        eval_loss = criterion(model(photos), kind).item()
    print(f"epoch {epoch} train loss {train_loss / len(loader):.3f}, same data in eval mode {eval_loss:.3f}")
result = {"loss": eval_loss}
