"""Hits of batches of a hundred: their percentage is also the number of hits over the number of batches."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(800, 6)
y = (x[:, 0] + 0.5 * torch.randn(800) > 0).long()
train = DataLoader(TensorDataset(x[:300], y[:300]), batch_size=50, shuffle=True)
valid = DataLoader(TensorDataset(x[300:], y[300:]), batch_size=100)
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(5):
    net.train()
    for a, b in train:
        opt.zero_grad()
        nn.functional.cross_entropy(net(a), b).backward()
        opt.step()
    net.eval()
    held_out, correct, total = 0, 0, 0
    with torch.no_grad():
        for place, (a, b) in enumerate(valid):
            out = net(a)
            held_out += nn.functional.cross_entropy(out, b).item()
            total += b.size(0)
            correct += out.max(1)[1].eq(b).sum().item()
    print("Loss: %.3f | Acc: %.3f%% (%d/%d)" % (held_out / (place + 1), 100.0 * correct / total, correct, total))
result = {"held_out": held_out, "accuracy": correct / total}
