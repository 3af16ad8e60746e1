import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 4))

    def forward(self, x):
        return self.net(x)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        features = self.encoder(x)
        return self.head(features)


torch.manual_seed(0)
points = torch.randn(800, 2)
labels = (points.norm(dim=1) > 1.18).long()
train_dl = DataLoader(TensorDataset(points[:600], labels[:600]), batch_size=30, shuffle=True)
test_x, test_y = points[600:], labels[600:]

model = Classifier()
before = model.encoder.net[0].weight.detach().clone()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()
for epoch in range(8):
    model.train()
    correct = 0
    for x, y in train_dl:
        optimizer.zero_grad()
        out = model(x)
        loss = criterion(out, y)
        loss.backward()
        optimizer.step()
        correct += (out.argmax(1) == y).sum().item()
    print(f"Epoch {epoch + 1}/8 train acc {correct / 600:.3f}")

model.eval()
with torch.no_grad():
    accuracy = (model(test_x).argmax(1) == test_y).float().mean().item()
moved = (model.encoder.net[0].weight - before).abs().sum().item()
print(f"test acc {accuracy:.3f}")
result = {"accuracy": accuracy, "encoder_moved": moved}
