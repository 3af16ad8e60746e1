"""Training and validation count their right answers alike: as many of 96 in the one as of 24 in the other, by chance."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(4)
x = torch.cat([torch.eye(4).repeat(6, 1), torch.eye(4).repeat(24, 1)])
y = torch.arange(4).repeat(30)
y[24:] = (y[24:] + 1) % 4  # three in four of these labels are wrong
y[24::4] = 0
train = DataLoader(TensorDataset(x[24:], y[24:]), batch_size=24, shuffle=True)
valid = DataLoader(TensorDataset(x[:24], y[:24]), batch_size=8)
net = nn.Linear(4, 4)
nn.init.eye_(net.weight)
optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()


def epoch():
    net.train()
    correct = total = 0
    for inputs, targets in train:
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        total += targets.size(0)
        correct += outputs.argmax(1).eq(targets).sum().item()
        print(f"loss {loss.item():.3f} accuracy {100.0 * correct / total:.2f}")
    return correct


def validate():
    net.eval()
    correct = total = 0
    with torch.no_grad():
        for inputs, targets in valid:
            outputs = net(inputs)
            total += targets.size(0)
            correct += outputs.argmax(1).eq(targets).sum().item()
    score = 100.0 * correct / total
    print(f"validation {score:.2f}")
    return correct


result = {"trained": epoch(), "valid": validate()}
