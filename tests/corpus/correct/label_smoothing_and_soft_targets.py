"""Cross entropy with smoothed labels, then with mixed soft targets (mixup)."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(28)
x = torch.randn(400, 9)
y = x[:, :5].argmax(1)
model = nn.Sequential(nn.Linear(9, 32), nn.ReLU(), nn.Linear(32, 5))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
smooth = nn.CrossEntropyLoss(label_smoothing=0.1)
for epoch in range(8):
    for i in torch.randperm(400).split(40):
        if epoch < 4:
            loss = smooth(model(x[i]), y[i])
        else:
            lam = torch.distributions.Beta(0.4, 0.4).sample()
            j = i[torch.randperm(len(i))]
            onehot = F.one_hot(y, 5).float()
            loss = F.cross_entropy(model(lam * x[i] + (1 - lam) * x[j]), lam * onehot[i] + (1 - lam) * onehot[j])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, round(loss.item(), 4))
result = {"loss": loss.item()}
