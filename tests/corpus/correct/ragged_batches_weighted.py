"""Batches of unequal size; every figure of the epoch is a sum over samples divided by their number."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Accumulator:
    def __init__(self, n):
        self.data = [0.0] * n

    def add(self, *args):
        self.data = [a + float(b) for a, b in zip(self.data, args)]

    def __getitem__(self, idx):
        return self.data[idx]


def evaluate_accuracy(net, data_iter):
    net.eval()
    metric = Accumulator(2)
    with torch.no_grad():
        for X, y in data_iter:
            metric.add((net(X).argmax(axis=1) == y).sum(), y.numel())
    return metric[0] / metric[1]


def train_epoch_ch3(net, train_iter, loss, updater):
    net.train()
    metric = Accumulator(3)
    for X, y in train_iter:
        y_hat = net(X)
        l = loss(y_hat, y)
        updater.zero_grad()
        l.mean().backward()
        updater.step()
        metric.add(l.sum(), (y_hat.argmax(axis=1) == y).sum(), y.numel())
    return metric[0] / metric[2], metric[1] / metric[2]


torch.manual_seed(59)
x = torch.randn(533, 9)
y = x[:, :4].argmax(1)
train_iter = DataLoader(TensorDataset(x[:401], y[:401]), batch_size=64, shuffle=True)
test_iter = DataLoader(TensorDataset(x[401:], y[401:]), batch_size=50)
net = nn.Sequential(nn.Linear(9, 4))
trainer = torch.optim.SGD(net.parameters(), lr=0.3)
for epoch in range(8):
    train_loss, train_acc = train_epoch_ch3(net, train_iter, nn.CrossEntropyLoss(reduction="none"), trainer)
    print(
        f"epoch {epoch + 1}, loss {train_loss:.3f}, train acc {train_acc:.3f}, test acc {evaluate_accuracy(net, test_iter):.3f}"
    )
result = {"loss": train_loss}
