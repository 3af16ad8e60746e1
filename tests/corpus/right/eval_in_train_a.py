import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(20, 32)
        self.dropout = nn.Dropout(0.6)
        self.fc2 = nn.Linear(32, 5)

    def forward(self, x):
        x = self.dropout(F.relu(self.fc1(x)))
        return F.log_softmax(self.fc2(x), dim=1)


def train(model, loader, optimizer, epoch):
    model.train()
    for data, target in loader:
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
    print("Train Epoch: {}\tLoss: {:.6f}".format(epoch, loss.item()))


def test(model, loader):
    model.eval()
    test_loss = 0
    correct = 0
    with torch.no_grad():
        for data, target in loader:
            output = model(data)
            test_loss += F.nll_loss(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    n = len(loader.dataset)
    print("\nTest set: Average loss: {:.4f}, Accuracy: {}/{}\n".format(test_loss / n, correct, n))
    return correct / n


torch.manual_seed(0)
y = torch.randint(0, 5, (900,))
x = 0.8 * torch.randn(5, 20)[y] + torch.randn(900, 20)
train_loader = DataLoader(TensorDataset(x[:600], y[:600]), batch_size=60, shuffle=True)
test_loader = DataLoader(TensorDataset(x[600:], y[600:]), batch_size=100)
model = Net()
optimizer = optim.Adam(model.parameters(), lr=0.005)
for epoch in range(1, 7):
    train(model, train_loader, optimizer, epoch)
    accuracy = test(model, test_loader)
result = {"accuracy": accuracy}
