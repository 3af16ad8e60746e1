"""mixup as in the paper's code: the loss is mixed, not the labels."""

import numpy as np
import torch
import torch.nn as nn

np.random.seed(0)
torch.manual_seed(0)


def mixup_data(x, y, alpha=1.0):
    lam = np.random.beta(alpha, alpha)
    index = torch.randperm(x.size(0))
    return lam * x + (1 - lam) * x[index, :], y, y[index], lam


def mixup_criterion(criterion, pred, y_a, y_b, lam):
    return lam * criterion(pred, y_a) + (1 - lam) * criterion(pred, y_b)


data = torch.randn(3, 14)
labels = torch.randint(0, 3, (300,))
inputs = data[labels] + 0.8 * torch.randn(300, 14)
net = nn.Sequential(nn.Linear(14, 24), nn.ReLU(), nn.Linear(24, 3))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
for epoch in range(6):
    correct = 0.0
    for b in torch.randperm(300).split(30):
        x, a_targets, b_targets, lam = mixup_data(inputs[b], labels[b])
        outputs = net(x)
        loss = mixup_criterion(criterion, outputs, a_targets, b_targets, lam)
        predicted = outputs.argmax(1)
        correct += lam * (predicted == a_targets).sum().item() + (1 - lam) * (predicted == b_targets).sum().item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("epoch %d | loss %.3f | acc %.3f" % (epoch, loss.item(), correct / 300))
result = {"loss": loss.item()}
