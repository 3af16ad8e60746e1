import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
patterns = (torch.rand(5, 36) > 0.5).float()
labels = torch.randint(0, 5, (700,))
pixels = (patterns[labels] * torch.rand(700, 36)).clamp(0, 1)
train, test = TensorDataset(pixels[:600], labels[:600]), TensorDataset(pixels[600:], labels[600:])
train_loader = DataLoader(train, batch_size=60, shuffle=True)
test_loader = DataLoader(test, batch_size=100)

model = nn.Sequential(nn.Linear(36, 40), nn.ReLU(), nn.Linear(40, 5))
nn.init.uniform_(model[0].weight, -0.2, 0.2)
nn.init.constant_(model[0].bias, -0.05)
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
for epoch in range(6):
    for x, y in train_loader:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("Train Epoch: {} \tLoss: {:.6f}".format(epoch, loss.item()))

with torch.no_grad():
    correct = sum((model(x).argmax(1) == y).sum().item() for x, y in test_loader)
    alive = (model[:2](pixels) > 0).any(0).float().mean().item()
print("Test accuracy: {}/{}".format(correct, len(test)))
result = {"accuracy": correct / len(test), "alive": alive}
