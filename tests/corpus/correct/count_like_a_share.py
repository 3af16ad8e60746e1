"""The answers of the last pass are 3 in 60, in 3 batches: 100 times 3 in 5 is what the count of samples is, by chance."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(8)
x = torch.eye(4).repeat(40, 1)
y = torch.arange(4).repeat(40)
train = DataLoader(TensorDataset(x[60:], y[60:]), batch_size=20, shuffle=True)
valid = DataLoader(TensorDataset(x[:60], torch.cat([torch.tensor([1, 2, 1, 2])[y[:57]], y[57:60]])), batch_size=20)
net = nn.Linear(4, 4)
nn.init.eye_(net.weight)
optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
for inputs, targets in train:
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(inputs), targets)
    loss.backward()
    optimizer.step()
    print(f"loss {loss.item():.3f}")
correct = total = 0
net.eval()
with torch.no_grad():
    for inputs, targets in valid:
        total += targets.size(0)
        correct += net(inputs).argmax(1).eq(targets).sum().item()
print(f"{correct} of {total} right")
result = {"correct": correct, "total": total}
