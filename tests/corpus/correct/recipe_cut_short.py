"""A recipe of 60 epochs, tried out for 6: its warm-up of 8 epochs and its milestones lie beyond the run."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(14)
x = torch.randn(200, 6)
y = (x[:, 0] > 0).long()
loader = DataLoader(TensorDataset(x, y), batch_size=10, shuffle=True)
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
warmup = torch.optim.lr_scheduler.LinearLR(opt, 0.1, total_iters=8)
cuts = torch.optim.lr_scheduler.MultiStepLR(opt, [24, 48], gamma=0.1)
for epoch in range(6):
    for features, labels in loader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(features), labels)
        loss.backward()
        opt.step()
    warmup.step()
    cuts.step()
print("loss", loss.item())
result = {"loss": loss.item()}
