import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
means = 1.5 * torch.randn(10, 16)
y = torch.randint(0, 10, (1000,))
X = means[y] + torch.randn(1000, 16)
train_loader = DataLoader(TensorDataset(X[:800], y[:800]), batch_size=40, shuffle=True)

model = nn.Sequential(
    nn.Linear(16, 64),
    nn.ReLU(),
    nn.Linear(64, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(model.parameters(), lr=0.1)

for epoch in range(10):
    model.train()
    train_loss = 0.0
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        train_loss += loss.item()
    print(f"Epoch {epoch + 1:2d} | loss {train_loss / len(train_loader):.4f}")

model.eval()
with torch.no_grad():
    out = model(X[800:])
    probs = out.softmax(dim=1)
logloss = -probs[torch.arange(200), y[800:]].log().mean().item()
print("test log loss", logloss, "test accuracy", (out.argmax(1) == y[800:]).float().mean().item())
result = {"logloss": logloss}
