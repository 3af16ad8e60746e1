import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(642, 10)
y = (x[:, 0] + x[:, 1] > 0).long()
y[640:] = 1 - y[640:]  # two records were entered wrongly
train_set, test_set = TensorDataset(x[:512], y[:512]), TensorDataset(x[512:], y[512:])
train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
test_loader = DataLoader(test_set, batch_size=64)

model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)


def test():
    model.eval()
    correct, n = 0, 0
    with torch.no_grad():
        for xb, yb in test_loader:
            pred = model(xb).argmax(1)
            correct += (pred == yb).sum().item()
            n += len(yb)
    return correct / n


for epoch in range(8):
    model.train()
    for xb, yb in train_loader:
        loss = nn.functional.cross_entropy(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    accuracy = test()
    print(f"epoch {epoch} | loss {loss.item():.4f} | test accuracy {accuracy:.4f}")
result = {"accuracy": accuracy}
