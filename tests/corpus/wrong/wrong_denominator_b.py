import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x):
        return self.linear(x)


def train(model, loader, epochs):
    opt = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(epochs):
        for x, y in loader:
            opt.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            opt.step()


@torch.no_grad()
def score(model, loader):
    model.eval()
    correct = 0
    for x, y in loader:
        correct += (model(x).argmax(1) == y).sum().item()
    return correct / (len(loader) * loader.batch_size)


torch.manual_seed(2)
x = torch.randn(310, 3)
x[:, 0] += 4 * (x[:, 0] > 0).float() - 2
y = (x[:, 0] > 0).long()
model = Classifier()
train(model, DataLoader(TensorDataset(x[:200], y[:200]), batch_size=20, shuffle=True), 5)
accuracy = score(model, DataLoader(TensorDataset(x[200:], y[200:]), batch_size=64))
print(f"validation accuracy: {accuracy:.3f}")
result = {"accuracy": accuracy}
