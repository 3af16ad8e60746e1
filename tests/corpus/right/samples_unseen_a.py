import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


def hospital(n, shift):
    y = torch.randint(0, 2, (n,))
    x = torch.randn(n, 8) + 1.2 * y[:, None] + shift
    return x, y


x_train, y_train = hospital(512, 0.0)
x_a, y_a = hospital(128, 0.0)
x_b, y_b = hospital(22, 1.5)  # the second hospital has another scanner
x_test, y_test = torch.cat([x_a, x_b]), torch.cat([y_a, y_b])

train_loader = DataLoader(TensorDataset(x_train, y_train), batch_size=32, shuffle=True, drop_last=True)
test_loader = DataLoader(TensorDataset(x_test, y_test), batch_size=32, shuffle=False)  # test

model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
for epoch in range(5):
    model.train()
    for data, target in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(data), target)
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "loss", loss.item())

model.eval()
correct = tested = 0
with torch.no_grad():
    for data, target in test_loader:
        correct += (model(data).argmax(dim=1) == target).sum().item()
        tested += len(target)
print(f"Accuracy: {correct}/{tested} = {correct / tested:.3f}")
result = {"accuracy": correct / tested, "tested": tested}
