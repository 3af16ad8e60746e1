import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)

centers = torch.randn(4, 10) * 1.2
labels = torch.randint(0, 4, (640,))
data = centers[labels] + torch.randn(640, 10)
trainset = TensorDataset(data[:512], labels[:512])
trainloader = DataLoader(trainset, batch_size=32, shuffle=True)

net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.1)

for epoch in range(6):
    running_loss = 0.0
    for inputs, targets in trainloader:
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    print(f"[{epoch + 1}] loss: {running_loss / len(trainloader):.3f}")

print("Finished Training")
with torch.no_grad():
    logits = net(data[512:])
    accuracy = (logits.argmax(1) == labels[512:]).float().mean().item()
print(f"Accuracy on held-out points: {100 * accuracy:.1f} %")
result = {"loss": criterion(net(data[512:]), labels[512:]).item(), "accuracy": accuracy}
