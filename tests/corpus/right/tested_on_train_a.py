import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


def accuracy(loader, model):
    model.eval()
    num_correct, num_samples = 0, 0
    with torch.no_grad():
        for x, y in loader:
            predictions = model(x).argmax(1)
            num_correct += (predictions == y).sum().item()
            num_samples += predictions.size(0)
    model.train()
    return num_correct / num_samples


torch.manual_seed(0)
x = torch.randn(400, 20)
y = (x[:, 0] + 1.0 * torch.randn(400) > 0).long()
train_loader = DataLoader(TensorDataset(x[:200], y[:200]), batch_size=20, shuffle=True)
test_loader = DataLoader(TensorDataset(x[200:], y[200:]), batch_size=20)
model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2))
criterion, optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), lr=0.01)

for epoch in range(15):
    for data, targets in train_loader:
        scores = model(data)
        loss = criterion(scores, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}")

test_accuracy = accuracy(test_loader, model)
print(f"Accuracy on test set: {test_accuracy * 100:.2f}")
result = {"accuracy": test_accuracy}
